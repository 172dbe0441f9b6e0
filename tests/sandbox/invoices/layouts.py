"""Invoices in many layouts, languages, currencies and ways to write numbers and dates, with what they say."""

from __future__ import annotations

from typing import Any, NamedTuple


class Layout(NamedTuple):
    """One invoice: its text and the facts a reader must find; facts that are not named here must be None or empty."""

    text: str
    number: str | None
    issue_date: str | None
    due_date: str | None
    seller: str | None
    buyer: str | None
    currency: str | None
    items: list[tuple[str, float | None, float | None, float | None]]
    subtotal: float | None
    tax: float | None
    total: float

    def facts(self) -> dict[str, Any]:
        """Return the facts in the shape of the output of extract-invoice."""
        names = ("description", "quantity", "unit_price", "amount")
        return {
            "number": self.number,
            "issue_date": self.issue_date,
            "due_date": self.due_date,
            "seller": self.seller,
            "buyer": self.buyer,
            "currency": self.currency,
            "line_items": [dict(zip(names, item, strict=True)) for item in self.items],
            "subtotal": self.subtotal,
            "tax": self.tax,
            "total": self.total,
        }


LAYOUTS: dict[str, Layout] = {
    "british, labels and values on one line": Layout(
        """
        Harbour Lights Ltd
        14 Quay Street, Bristol BS1 4DJ
        VAT No. GB 123 4567 89

        INVOICE No: HL/2291
        Invoice date: 3 February 2026
        Due date: 5 March 2026

        Bill to: Tidewater Hotels plc

        Description                      Quantity    Unit price      Amount
        Lantern, brass                        12       £48.00       £576.00
        Rope, 20 m                             3       £15.50        £46.50

        Net total                                                   £622.50
        VAT 20%                                                     £124.50
        Total due                                                   £747.00
        """,
        number="HL/2291",
        issue_date="2026-02-03",
        due_date="2026-03-05",
        seller="Harbour Lights Ltd",
        buyer="Tidewater Hotels plc",
        currency="GBP",
        items=[("Lantern, brass", 12, 48, 576), ("Rope, 20 m", 3, 15.5, 46.5)],
        subtotal=622.5,
        tax=124.5,
        total=747,
    ),
    "american, values below their labels, month first": Layout(
        """
        Bluebird Analytics Inc.                                        INVOICE
        From                       Bill To                    Invoice #        Date            Due
        Bluebird Analytics Inc.    Copper Peak Mining Co.     INV-000871       01/31/2026      03/02/2026
        500 Pine St                Box 17

        Item                              Qty      Rate            Amount
        Data platform, monthly            1        $12,500.00      $12,500.00
        Analyst hours                     32.5     $145.00         $4,712.50
        Credit from December              1        -$250.00        -$250.00
                                          Subtotal                 $16,962.50
                                          Tax (0%)                 $0.00
                                          Amount due (USD)         $16,962.50
        """,
        number="INV-000871",
        issue_date="2026-01-31",
        due_date="2026-03-02",
        seller="Bluebird Analytics Inc.",
        buyer="Copper Peak Mining Co.",
        currency="USD",
        items=[
            ("Data platform, monthly", 1, 12500, 12500),
            ("Analyst hours", 32.5, 145, 4712.5),
            ("Credit from December", 1, -250, -250),
        ],
        subtotal=16962.5,
        tax=0,
        total=16962.5,
    ),
    "german, points group thousands": Layout(
        """
        Weber & Söhne OHG
        Rechnung Nr. 2026-311

        Rechnung an:
        Stadtwerke Kassel

        Rechnungsdatum: 09.01.2026        Zahlbar bis: 23.01.2026

        Pos.   Beschreibung               Menge    Preis       Gesamt
        1      Kupferrohr 15 mm           1.200    3,45 €      4.140,00 €
        2      Fitting, Satz              80       7,90 €        632,00 €

        Zwischensumme                                          4.772,00 €
        MwSt. 19 %                                               906,68 €
        Gesamtsumme                                            5.678,68 €
        """,
        number="2026-311",
        issue_date="2026-01-09",
        due_date="2026-01-23",
        seller="Weber & Söhne OHG",
        buyer="Stadtwerke Kassel",
        currency="EUR",
        items=[("Kupferrohr 15 mm", 1200, 3.45, 4140), ("Fitting, Satz", 80, 7.9, 632)],
        subtotal=4772,
        tax=906.68,
        total=5678.68,
    ),
    "french, spaces group thousands": Layout(
        """
        Atelier Duval SARL                                  FACTURE
        Facture n° : F-2026-018
        Date de facturation : 12 mars 2026
        Échéance : 11 avril 2026
        Client : Mairie de Lyon

        Désignation                          Quantité    Prix unitaire        Montant
        Mobilier de bureau                          4         1 250,00       5 000,00
        Livraison et pose                           1           350,50         350,50

        Total HT                                                        5 350,50 €
        TVA 20 %                                                        1 070,10 €
        Total TTC                                                       6 420,60 €
        """,
        number="F-2026-018",
        issue_date="2026-03-12",
        due_date="2026-04-11",
        seller="Atelier Duval SARL",
        buyer="Mairie de Lyon",
        currency="EUR",
        items=[("Mobilier de bureau", 4, 1250, 5000), ("Livraison et pose", 1, 350.5, 350.5)],
        subtotal=5350.5,
        tax=1070.1,
        total=6420.6,
    ),
    "swiss, apostrophes group thousands": Layout(
        """
        Alpenblick Treuhand AG
        Rechnungsnummer 88017
        Datum: 2026-05-04
        Fällig am: 2026-06-03
        Kunde: Berghotel Furka

        Leistung                     Anzahl    Ansatz/Preis    Betrag
        Jahresabschluss              1         CHF 4'800.00    CHF 4'800.00
        Beratung                     6.5       CHF 220.00      CHF 1'430.00

        Netto                                                  CHF 6'230.00
        MWST 8.1%                                              CHF 504.63
        Rechnungsbetrag                                        CHF 6'734.63
        """,
        number="88017",
        issue_date="2026-05-04",
        due_date="2026-06-03",
        seller="Alpenblick Treuhand AG",
        buyer="Berghotel Furka",
        currency="CHF",
        items=[("Jahresabschluss", 1, 4800, 4800), ("Beratung", 6.5, 220, 1430)],
        subtotal=6230,
        tax=504.63,
        total=6734.63,
    ),
    "spanish": Layout(
        """
        Olivares del Sur S.L.
        Factura Nº: 2026/77
        Fecha: 15/01/2026
        Vencimiento: 14/02/2026
        Cliente: Restaurante La Parra

        Descripción                   Cantidad     Precio unitario      Importe
        Aceite de oliva 5 L           24           31,50                756,00
        Aceitunas, caja               10           12,25                122,50

        Base imponible                                                  878,50 €
        IVA 10%                                                          87,85 €
        Total factura                                                   966,35 €
        """,
        number="2026/77",
        issue_date="2026-01-15",
        due_date="2026-02-14",
        seller="Olivares del Sur S.L.",
        buyer="Restaurante La Parra",
        currency="EUR",
        items=[("Aceite de oliva 5 L", 24, 31.5, 756), ("Aceitunas, caja", 10, 12.25, 122.5)],
        subtotal=878.5,
        tax=87.85,
        total=966.35,
    ),
    "single spaces only, as some PDF readers give it": Layout(
        """
        Northwind Traders
        Invoice Number: NW-5521
        Invoice Date: 2026-07-01
        Due Date: 2026-07-31
        Bill To: Contoso Ltd
        Description Qty Unit Price Amount
        Chai 10 18.00 180.00
        Aniseed syrup 550 ml 24 10.00 240.00
        Subtotal 420.00
        Sales tax 8.25% 34.65
        Total 454.65 USD
        """,
        number="NW-5521",
        issue_date="2026-07-01",
        due_date="2026-07-31",
        seller="Northwind Traders",
        buyer="Contoso Ltd",
        currency="USD",
        items=[("Chai", 10, 18, 180), ("Aniseed syrup 550 ml", 24, 10, 240)],
        subtotal=420,
        tax=34.65,
        total=454.65,
    ),
    "quantity first": Layout(
        """
        TAX INVOICE
        Kookaburra Tools Pty
        Invoice no. 4410
        Issue date: 14-Mar-2026
        To: Outback Rail

        Qty    Description             Price       Total
        2      Torque wrench           A$310.00    A$620.00
        15     Hex key set             A$22.40     A$336.00

               Subtotal                            A$956.00
               GST 10%                             A$95.60
               Total incl. GST                     A$1,051.60
        """,
        number="4410",
        issue_date="2026-03-14",
        due_date=None,
        seller="Kookaburra Tools Pty",
        buyer="Outback Rail",
        currency="AUD",
        items=[("Torque wrench", 2, 310, 620), ("Hex key set", 15, 22.4, 336)],
        subtotal=956,
        tax=95.6,
        total=1051.6,
    ),
    "sentences instead of a table": Layout(
        """
        Invoice 2026-9

        Marta Lind, illustrator
        Issued on 2 June 2026, payable by 2 July 2026.
        Client: Fabel Verlag

        3 x Full-page illustration @ EUR 450.00 = EUR 1,350.00
        1 x Cover @ EUR 900.00 = EUR 900.00

        Total: EUR 2,250.00
        """,
        number="2026-9",
        issue_date="2026-06-02",
        due_date="2026-07-02",
        seller="Marta Lind",
        buyer="Fabel Verlag",
        currency="EUR",
        items=[("Full-page illustration", 3, 450, 1350), ("Cover", 1, 900, 900)],
        subtotal=2250,
        tax=0,
        total=2250,
    ),
    "amounts without quantities, two taxes, a discount": Layout(
        """
        Seller: Laurentide Legal LLP
        Customer: Maple Foods Inc.
        Invoice number: LL-20
        Invoice date: March 9, 2026
        Payment due: April 8, 2026

        Description                                  Amount
        Contract review                            2,000.00
        Filing fee                                   150.00

        Subtotal                                   2,150.00
        Discount                                    -150.00
        GST 5%                                       100.00
        QST 9.975%                                   199.50
        Total tax                                    299.50
        Grand total                        CAD     2,299.50
        """,
        number="LL-20",
        issue_date="2026-03-09",
        due_date="2026-04-08",
        seller="Laurentide Legal LLP",
        buyer="Maple Foods Inc.",
        currency="CAD",
        items=[("Contract review", None, None, 2000), ("Filing fee", None, None, 150)],
        subtotal=2150,
        tax=299.5,
        total=2299.5,
    ),
    "bars between the columns, rates on every row": Layout(
        """
        | Fournil du Port                 | Facture FP-31              |
        | Date : 05/09/2026               | Date d'échéance : 05/10/2026 |
        | Facturé à : Café Riva           |                            |

        | Libellé         | Qté | P.U. HT | TVA    | Montant HT |
        |-----------------|-----|---------|--------|------------|
        | Baguette        | 120 | 0,95    | 5,5 %  | 114,00     |
        | Croissant       | 80  | 1,10    | 5,5 %  | 88,00      |

        | Total HT        |     |         |        | 202,00     |
        | TVA 5,5 %       |     |         |        | 11,11      |
        | Net à payer     |     |         |        | 213,11 EUR |
        """,
        number="FP-31",
        issue_date="2026-09-05",
        due_date="2026-10-05",
        seller="Fournil du Port",
        buyer="Café Riva",
        currency="EUR",
        items=[("Baguette", 120, 0.95, 114), ("Croissant", 80, 1.1, 88)],
        subtotal=202,
        tax=11.11,
        total=213.11,
    ),
    "dutch, tabs between the columns": Layout(
        "Van Dijk Fietsen\nFactuurnummer:\t2026-0555\nFactuurdatum:\t01-04-2026\nVervaldatum:\t01-05-2026\n"
        "Klant:\tGemeente Delft\n\nOmschrijving\tAantal\tPrijs\tTotaal\nStadsfiets\t5\t€ 649,00\t€ 3.245,00\n"
        "Onderhoud\t5\t€ 45,00\t€ 225,00\n\nSubtotaal\t\t\t€ 3.470,00\nBTW 21%\t\t\t€ 728,70\n"
        "Te betalen\t\t\t€ 4.198,70\n",
        number="2026-0555",
        issue_date="2026-04-01",
        due_date="2026-05-01",
        seller="Van Dijk Fietsen",
        buyer="Gemeente Delft",
        currency="EUR",
        items=[("Stadsfiets", 5, 649, 3245), ("Onderhoud", 5, 45, 225)],
        subtotal=3470,
        tax=728.7,
        total=4198.7,
    ),
    "italian, values below, no tax": Layout(
        """
        Studio Bianchi                                     FATTURA
        Fattura n.            Data             Scadenza
        12/2026               18/05/2026       17/06/2026
        Cliente
        Cantina Rossi Srl

        Descrizione                    Quantità    Prezzo      Importo
        Consulenza                     3           400,00      1.200,00
        Trasferta                      2           85,50       171,00

        Totale                                                 1.371,00 EUR
        """,
        number="12/2026",
        issue_date="2026-05-18",
        due_date="2026-06-17",
        seller="Studio Bianchi",
        buyer="Cantina Rossi Srl",
        currency="EUR",
        items=[("Consulenza", 3, 400, 1200), ("Trasferta", 2, 85.5, 171)],
        subtotal=1371,
        tax=0,
        total=1371,
    ),
    "yen have no decimals": Layout(
        """
        Sakura Design KK                          INVOICE
        Invoice no: SD-7
        Date: 2026/02/20
        Due: 2026/03/31
        Customer: Hinode Foods

        Description          Qty     Unit price      Amount
        Logo                 1       ¥80,000         ¥80,000
        Packaging            3       ¥45,000         ¥135,000

        Subtotal                                     ¥215,000
        Tax 10%                                      ¥21,500
        Total                                        ¥236,500
        """,
        number="SD-7",
        issue_date="2026-02-20",
        due_date="2026-03-31",
        seller="Sakura Design KK",
        buyer="Hinode Foods",
        currency="JPY",
        items=[("Logo", 1, 80000, 80000), ("Packaging", 3, 45000, 135000)],
        subtotal=215000,
        tax=21500,
        total=236500,
    ),
}
