"""The words that name the parts of an invoice, in English, German, French, Spanish, Italian and Dutch. Data only."""

from __future__ import annotations

import re


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE)


_NUMBER = r"(?:\s*n[°º]\.?|\s*[#№]|\s*(?:no|nr|num|number|nummer|n|id)\b\.?)"

INVOICE = _words(
    r"\b(?:tax |vat |pro[- ]?forma )?invoices?",
    r"\b\w*rechnung\w*",
    r"\bfactu(?:re|ra|ur)\w*",
    r"\bfattura\w*",
    r"\bcredit note",
)

NUMBER = _words(
    rf"(?:invoice|inv\.?|bill|document|reference|ref\.?){_NUMBER}",
    r"(?:rechnungs?|beleg)[- ]?(?:nummer|nr\.?|no\.?)",
    rf"rechnung{_NUMBER}",
    rf"(?:num[ée]ro\s+(?:de\s+)?)?facture{_NUMBER}?",
    r"num[ée]ro\s+de\s+facture",
    rf"(?:n[úu]mero\s+(?:de\s+)?)?factura{_NUMBER}?",
    rf"(?:numero\s+)?fattura{_NUMBER}?",
    rf"factuur(?:nummer|{_NUMBER})",
    r"invoice(?=\s*[:#])",
    r"invoice(?=\s+[A-Z]{0,6}[-/]?\d)",
    r"rechnung(?=\s+[A-Z]{0,6}[-/]?\d)",
)

ISSUE_DATE = _words(
    r"(?:date of issue|issue date|date issued|issued(?: on)?|invoice date|billing date|dated|tax point)",
    r"(?:rechnungsdatum|ausstellungsdatum|belegdatum|datum der rechnung)",
    r"(?:date de (?:la )?facture|date de facturation|date d['’][ée]mission)",
    r"(?:fecha de (?:la )?factura|fecha de emisi[óo]n)",
    r"(?:data (?:di )?(?:fattura|emissione)|factuurdatum)",
    r"(?:date|datum|fecha|data)",
)

DUE_DATE = _words(
    r"(?:payment due(?: date| by| on)?|due date|date due|due(?: on| by)?|pay(?:able)? by|payment date)",
    r"(?:f[äa]llig(?:keitsdatum|keit)?(?: am| bis)?|zahlbar bis(?: zum)?|zahlungsziel|zu zahlen bis)",
    r"(?:date d['’][ée]ch[ée]ance|[ée]ch[ée]ance|[àa] r[ée]gler avant le|fecha de vencimiento|vencimiento)",
    r"(?:data (?:di )?scadenza|scadenza|vervaldatum|vervaldag|te betalen v[óo]{2}r)",
)

SELLER = _words(
    r"(?:from|seller|sold by|supplier|vendor|issued by|billed by|service provider)",
    r"(?:verk[äa]ufer|lieferant|rechnungssteller|absender|von)",
    r"(?:vendeur|fournisseur|[ée]metteur|vendedor|proveedor|emisor|venditore|fornitore|cedente|verkoper|leverancier)",
)

BUYER = _words(
    r"(?:bill(?:ed)? to|invoiced? to|sold to|buyer|customer|client|recipient|attention|attn\.?|to)"
    r"(?! no\b| id\b| number| ref)",
    r"(?:rechnung an|rechnungsempf[äa]nger|rechnungsadresse|kunde|k[äa]ufer|empf[äa]nger|auftraggeber)",
    r"(?:factur[ée] [àa]|destinataire|acheteur|facturar a|facturado a|cliente|comprador|destinatario)",
    r"(?:intestato a|spett\.?(?:le)?|cessionario|klant|factuur aan|factureren aan|koper)",
)

SUBTOTAL = _words(
    r"(?:sub[- ]?total|net (?:total|amount)|total net|taxable amount)",
    r"total (?:excl\.?|excluding|before|without) (?:vat|tax|gst)",
    r"(?:zwischensumme|netto(?:betrag|summe|gesamtbetrag)?|summe netto|gesamt netto|gesamtbetrag netto)",
    r"(?:sous[- ]total|total (?:net )?h\.?t\.?|montant h\.?t\.?|base imponible|subtotal|total neto|importe neto)",
    r"(?:imponibile|totale (?:netto|imponibile)|subtotale|subtotaal|totaal excl\.? btw|netto totaal)",
)

_RATE = r"(?:\d{1,2}(?:[.,]\d{1,2})?\s?%\s?(?:of )?)?"

TAX = _words(
    rf"(?:total )?{_RATE}(?:(?:sales|plus|add|incl\.?) )?{_RATE}"
    r"(?:tax(?:es)?|vat|v\.a\.t\.|gst|hst|pst|qst)(?!\.? ?(?:id|no|reg|number|identification)\b)",
    rf"{_RATE}(?:zzgl\.? |zuz[üu]gl(?:ich|\.) |inkl\.? |gesetzl\.? |\+ ?)?{_RATE}"
    r"(?:mwst|ust|mehrwertsteuer|umsatzsteuer)\.?(?![-. ]?(?:id|nr))",
    rf"(?:montant |total )?{_RATE}(?:t\.?v\.?a\.?|i\.?v\.?a\.?|b\.?t\.?w\.?|igic)(?! (?:intra|n[°ºo]|id|nr|num))",
)

TOTAL_STRONG = _words(
    r"(?:grand total|total (?:amount )?(?:due|payable|to pay)|amount (?:due|payable)|balance due)",
    r"(?:invoice total|total invoice|please pay)",
    r"(?:total (?:incl\.?|including|inc\.?) (?:vat|tax|gst)|total amount)",
    r"(?:gesamtbetrag|gesamtsumme|endbetrag|rechnungsbetrag|zahlbetrag|zu zahlen(?:der betrag)?)",
    r"(?:brutto(?:betrag|summe)?|summe brutto)",
    r"(?:total t\.?t\.?c\.?|net [àa] payer|montant t\.?t\.?c\.?|total a pagar|importe total|total factura)",
    r"(?:totale (?:da pagare|documento|fattura|dovuto)|te betalen|totaal (?:incl\.? btw|te betalen))",
)

TOTAL = _words(r"(?:total|gesamt|summe|totale|totaal)")

# Lines between the items and the total that are neither.
OTHER_TOTALS = _words(
    r"(?:discount|rabatt|remise|descuento|sconto|korting|shipping|delivery|freight|versand(?:kosten)?|paid|payments?|deposit|less)"
)

# Columns of the table of items. The order matters: "unit price" must not count as a unit, nor "total price" as a price.
COLUMNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "ignored",
        _words(r"(?:pos(?:ition)?\.?|#|no\.?|nr\.?|item no\.?|art(?:ikel)?[.-]?\s?(?:nr|no)\.?|sku|code|ref\.?)$"),
    ),
    (
        "ignored",
        _words(
            r"(?:vat|tax|mwst|ust|tva|iva|btw|gst|discount|rabatt|remise|sconto|desc\.?to)\.?(?: ?(?:rate|%|amount))?$"
        ),
    ),
    (
        "unit_price",
        _words(
            r"(?:unit (?:price|cost|rate)|price(?: per unit|/unit| each)?|rate|each|cost|hourly rate)",
            r"(?:einzelpreis|st[üu]ckpreis|preis|e-?preis|ep|satz|stundensatz)",
            r"(?:prix(?: unitaire| unit\.?)?|p\.?u\.?(?: h\.?t\.?)?|precio(?: unitario| unit\.?)?)",
            r"(?:prezzo(?: unitario)?|stuksprijs|prijs|tarief)",
        ),
    ),
    (
        "quantity",
        _words(
            r"(?:qty\.?|quantity|hours|hrs\.?|days|units|count)",
            r"(?:menge|anz(?:ahl)?\.?|stunden|std\.?|tage)",
            r"(?:quantit[ée]|qt[ée]\.?|cantidad|cant\.?|quantit[àa]|q\.?t[àa]|aantal|uren)",
        ),
    ),
    (
        "amount",
        _words(
            r"(?:(?:line |net |total )?amount|(?:line )?total(?: price)?|sum|price total|extended)",
            r"(?:gesamt(?:preis|betrag)?|betrag|summe|g-?preis|gp|netto)",
            r"(?:montant(?: h\.?t\.?)?|total(?: h\.?t\.?)?|importe|totale|importo|totaal|bedrag)",
        ),
    ),
    (
        "description",
        _words(
            r"(?:description|item(?:s)?|service(?:s)?|product(?:s)?|details|article|particulars|work)",
            r"(?:beschreibung|bezeichnung|leistung(?:en)?|artikel|position(?:en)?|produkt)",
            r"(?:d[ée]signation|libell[ée]|descripci[óo]n|concepto|descrizione|omschrijving|prestation|prodotto)",
        ),
    ),
    ("ignored", _words(r"(?:unit|einheit|me|unit[ée]|unidad|u\.?m\.?|eenheid|date|datum)$")),
)
