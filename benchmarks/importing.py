"""What a program pays before its first answer: importing the package, making a client, and the first call."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import payloads
from benchmarks.environments import CURRENT, HOME, ROOT, SAME_GENERATION, official_code, ours_code, ours_plain_code
from benchmarks.fast_server import fast_server
from benchmarks.rounds import compare_fresh
from benchmarks.table import Row, Target, beside, within

MOST_MILLISECONDS = 60

_VERSIONS = (CURRENT, SAME_GENERATION)

# Programs that print what each step took of the processor: a busy machine lets them wait, and imports do little else
# than compute. They import nothing else first: what the package needs is its own cost.
_STEPS = """
from time import process_time
began = process_time()
import eigenpal
{name} = eigenpal.{name}
imported = process_time()
{use}
assert eigenpal.__file__.startswith({home!r}), eigenpal.__file__
print('{{"import": %f, "total": %f}}' % ((imported - began) * 1e3, (process_time() - began) * 1e3))
"""
_BARE = _STEPS.replace("{name} = eigenpal.{name}\n", "")
_BLOCKING = """
client = EigenpalClient("k", base_url="{base}")
client.runs.get("run_123")
"""
_ASYNC = """
import asyncio
async def main():
    async with AsyncEigenpalClient("k", base_url="{base}") as client:
        await client.runs.get("run_123")
asyncio.run(main())
"""


def importing() -> Iterator[Row]:
    """Compare with a limit, and with importing the official packages."""
    with fast_server(body=payloads.run()) as base:
        home = str(ROOT / "eigenpal")
        first_async = _STEPS.format(name="AsyncEigenpalClient", use=_ASYNC.format(base=base), home=home)
        first_blocking = _STEPS.format(name="EigenpalClient", use=_BLOCKING.format(base=base), home=home)
        official_import = _STEPS.format(name="EigenpalClient", use="", home=str(HOME))
        commands = {
            "bare": ours_plain_code(_BARE.format(use="", home=home)),
            "async, lanes": ours_plain_code(first_async),
            "async, aiohttp": ours_code(first_async),
            "blocking, lanes": ours_plain_code(first_blocking),
            "blocking, aiohttp": ours_code(first_blocking),
            **{version: official_code(version, official_import) for version in _VERSIONS},
        }
        compare_fresh(commands, 1)  # compiles what is imported, and brings it into the page cache
        taken = compare_fresh(commands, 15)

    def times(name: str, step: str) -> list[float]:
        return [figures[step] for figures in taken[name]]

    theirs = {version: (f"import of official {version}", times(version, "import")) for version in _VERSIONS}
    yield within("import eigenpal", "ms", times("bare", "import"), MOST_MILLISECONDS)
    name = "from eigenpal import AsyncEigenpalClient"
    yield beside(name, "ms", times("async, lanes", "import"), *theirs[CURRENT])
    for kind in ("async, lanes", "async, aiohttp", "blocking, lanes", "blocking, aiohttp"):
        label = f"import, client, first call; {kind}"
        yield beside(label, "ms", times(kind, "total"), *theirs[CURRENT], Target("<=", 1))
        yield beside(label, "ms", times(kind, "total"), *theirs[SAME_GENERATION])
