"""The live page of the sandbox: what runs, what ran, what was asked. It reads and never changes anything.

Plain pages rendered here, one stylesheet, one small script; nothing comes from elsewhere.
"""
