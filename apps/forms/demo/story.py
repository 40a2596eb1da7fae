"""What happened at ACME in the past weeks: who asked for what, and what the others said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Said:
    """One person's verdict, so many hours after the step before; `of` is in whose place, if not their own."""

    who: str
    verdict: str
    hours: int
    reason: str = ""
    of: str = ""


@dataclass(frozen=True)
class Request:
    """One submission: by whom, how many days ago, with which answers, and its course."""

    form: str
    who: str
    days_ago: float
    data: dict[str, Any]
    course: tuple[Said, ...] = ()
    quotes: int = 0
    ends: str = ""
    again: tuple[Said, ...] = field(default=())


def _buy(
    unit: str, item: str, why: str, vendor: str, lines: list[tuple[str, int, int]], fund: str, sole: str = ""
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "unit": unit,
        "item": item,
        "justification": why,
        "required_by": "2026-12-18",
        "vendor": vendor,
        "sole_source": bool(sole),
        "lines": [{"description": what, "quantity": count, "unit_price": price} for what, count, price in lines],
        "fund_code": fund,
    }
    return data | ({"sole_source_rationale": sole} if sole else {})


def _leave(
    name: str, number: str, where: str, rows: list[tuple[str, str, str, int]], remarks: str = "", **more: Any
) -> dict[str, Any]:
    leave = [{"kind": kind, "date_from": start, "date_to": end, "hours": hours} for kind, start, end, hours in rows]
    data = {"name": name, "employee_number": number, "organization": where, "leave": leave, "remarks": remarks}
    return data | {"certification": True, "certified_on": rows[0][1]} | more


def _yes(who: str, hours: int) -> Said:
    return Said(who, "approve", hours)


PURCHASES = (
    Request(
        "purchase-request",
        "meyer",
        41,
        _buy(
            "Workshop North",
            "Torque wrenches, calibrated",
            "Four of nine failed the September calibration and are locked away.",
            "Hoffmann Tools",
            [("Torque wrench 10–60 Nm", 4, 18900), ("Torque wrench 40–200 Nm", 2, 24500)],
            "WKN2026A",
        ),
        (_yes("whitfield", 20),),
    ),
    Request(
        "purchase-request",
        "editor",
        38,
        _buy(
            "Quality",
            "Coordinate measuring machine, yearly service",
            "The accreditation asks for it before the end of October.",
            "Zeiss Service",
            [("Inspection and calibration", 1, 1240000), ("Spare probe set", 1, 389000)],
            "QUA2026C",
        ),
        (_yes("reviewer", 26), _yes("lindqvist", 44)),
        quotes=1,
    ),
    Request(
        "purchase-request",
        "okafor",
        35,
        _buy(
            "Plant services",
            "Compressed-air dryer",
            "The old dryer lets water into the paint line twice a week.",
            "Atlas Air",
            [("Refrigerant dryer FX12", 1, 1875000), ("Installation", 1, 240000)],
            "PLS2026B",
        ),
        (
            _yes("whitfield", 18),
            Said(
                "lindqvist",
                "reject",
                30,
                "Two further vendors answered the notice with lower offers; please ask them first.",
            ),
        ),
        quotes=1,
    ),
    Request(
        "purchase-request",
        "meyer",
        31,
        _buy(
            "Workshop North",
            "Five-axis milling centre",
            "Replaces two machines of 2009 whose spindles cannot be repaired any more.",
            "Hermle",
            [
                ("Milling centre C 32 U", 1, 38900000),
                ("Tool magazine, 60 places", 1, 2950000),
                ("Training, five days", 1, 640000),
            ],
            "CAP2026A",
        ),
        (
            _yes("reviewer", 22),
            _yes("lindqvist", 40),
            _yes("nakamura", 50),
            _yes("haddad", 12),
            Said("ferrante", "approve", 6, of="brandt"),
            _yes("osei", 48),
        ),
        quotes=3,
    ),
    Request(
        "purchase-request",
        "editor",
        27,
        _buy(
            "Training",
            "Welding course, eight people",
            "The certificates of the night shift end in December.",
            "SLV",
            [("Course MAG 135", 8, 64500)],
            "TRN2026",
        ),
        (_yes("okafor", 9),),
    ),
    Request(
        "purchase-request",
        "brandt",
        24,
        _buy(
            "Finance",
            "Licences for the ledger's archive",
            "The auditors ask for read access for ten years.",
            "Ledgerworks",
            [("Archive licence", 12, 98000)],
            "FIN2026",
        ),
        (Said("whitfield", "reject", 27, "The group contract covers this from January; wait for it."),),
    ),
    Request(
        "purchase-request",
        "meyer",
        20,
        _buy(
            "Workshop North",
            "Laser tracker, rental",
            "Aligns the new foundation of hall 3 before the machine arrives.",
            "API Metrology",
            [("Rental, two weeks", 2, 920000), ("Operator, days", 6, 118000)],
            "CAP2026A",
            "Only this vendor has a tracker with the range that the hall needs free in the week of the foundation.",
        ),
        (_yes("reviewer", 15), _yes("lindqvist", 20), _yes("ferrante", 31)),
        quotes=1,
    ),
    Request(
        "purchase-request",
        "okafor",
        16,
        _buy(
            "Plant services",
            "Emergency lighting, hall 2",
            "Eleven of forty lamps failed the monthly test.",
            "Beghelli",
            [("Luminaire with battery", 40, 21400), ("Monitoring unit", 1, 310000)],
            "SAF2026",
        ),
        ends="withdraw",
    ),
    Request(
        "purchase-request",
        "editor",
        12,
        _buy(
            "Quality",
            "Surface roughness tester",
            "The second tester is shared by three lines and stands still at none.",
            "Mitutoyo",
            [("Tester SJ-410", 1, 1180000), ("Reference specimen", 2, 42000)],
            "QUA2026C",
        ),
        (
            Said(
                "whitfield",
                "send_back",
                25,
                "Name the lines that wait for it, and add the price of the yearly calibration.",
            ),
        ),
        again=(_yes("reviewer", 20),),
    ),
    Request(
        "purchase-request",
        "meyer",
        9,
        _buy(
            "Workshop North",
            "Replacement of two lathe spindles",
            "Both spindles run outside tolerance since the September inspection; the scrap rate is 11 %.",
            "Weisser",
            [("Spindle assembly, A2-6", 2, 2240000), ("Fitting and alignment", 2, 170000)],
            "WKN2026A",
        ),
        (_yes("okafor", 17),),
        quotes=2,
    ),
    Request(
        "purchase-request",
        "editor",
        6,
        _buy(
            "Logistics",
            "Pallet trucks, electric",
            "Two of the five are older than twelve years and out of spare parts.",
            "Jungheinrich",
            [("Pallet truck EJE 120", 3, 429000)],
            "LOG2026B",
        ),
        (Said("okafor", "send_back", 20, "Say which trucks they replace, by inventory number."),),
    ),
    Request(
        "purchase-request",
        "brandt",
        4,
        _buy(
            "Finance",
            "Document scanner",
            "Incoming invoices wait a day for the shared one.",
            "Fujitsu",
            [("Scanner fi-8170", 2, 94900)],
            "FIN2026",
        ),
    ),
    Request(
        "purchase-request",
        "meyer",
        2,
        _buy(
            "Workshop North",
            "Coolant filtration unit",
            "Saves 900 litres of coolant a month, by the trial in August.",
            "Knoll",
            [("Filter VRF 150", 1, 3120000)],
            "WKN2026A",
            "The unit must fit the pump and the tank of the same maker; no other vendor supplies either.",
        ),
        quotes=1,
    ),
    Request(
        "purchase-request",
        "editor",
        1,
        _buy(
            "Quality",
            "Clean-room garments",
            "Stock lasts until the second week of December.",
            "Dastex",
            [("Overall, size M", 60, 3150), ("Overall, size L", 60, 3150), ("Hood", 120, 890)],
            "QUA2026C",
        ),
    ),
)

LEAVES = (
    Request(
        "leave",
        "meyer",
        36,
        _leave("Meyer, Ingrid", "20418", "Workshop North", [("accrued_annual", "2026-10-26", "2026-10-30", 40)]),
        (_yes("whitfield", 8),),
    ),
    Request(
        "leave",
        "okafor",
        29,
        _leave(
            "Okafor, Chidi",
            "20077",
            "Plant services",
            [("accrued_sick", "2026-10-21", "2026-10-21", 4)],
            purpose="examination",
        ),
        (_yes("reviewer", 5),),
    ),
    Request(
        "leave",
        "brandt",
        22,
        _leave("Brandt, Thomas", "20931", "Finance", [("accrued_annual", "2026-11-23", "2026-12-04", 80)]),
        (
            Said(
                "owner", "reject", 20, "The year-end closing needs you; if annual leave, initiate action to reschedule."
            ),
        ),
    ),
    Request(
        "leave",
        "nakamura",
        18,
        _leave(
            "Nakamura, Yuki",
            "21002",
            "Legal",
            [("accrued_sick", "2026-11-09", "2026-11-20", 80), ("advance_sick", "2026-11-23", "2026-12-04", 80)],
            "Follow-up of the operation in October.",
            purpose="illness",
            fmla=True,
            fmla_reason="self",
        ),
        (_yes("reviewer", 6), _yes("kowalski", 26)),
    ),
    Request(
        "leave",
        "editor",
        7,
        _leave(
            "Novak, Emil",
            "20655",
            "Quality",
            [("compensatory", "2026-12-07", "2026-12-07", 8)],
            "For the Saturday of the audit.",
        ),
        (_yes("whitfield", 11),),
    ),
    Request(
        "leave",
        "lindqvist",
        3,
        _leave(
            "Lindqvist, Maja",
            "20740",
            "Contracting",
            [("without_pay", "2027-01-11", "2027-03-05", 320)],
            "Care leave, as discussed with the personnel office.",
        ),
        (_yes("reviewer", 9),),
    ),
    Request(
        "leave",
        "osei",
        1.5,
        _leave("Osei, Abena", "20111", "Contracting", [("accrued_annual", "2026-12-21", "2026-12-31", 64)]),
    ),
)
DRAFTS = (
    Request(
        "purchase-request",
        "editor",
        0.4,
        {
            "unit": "Quality",
            "item": "Hardness tester, portable",
            "vendor": "Proceq",
            "lines": [{"description": "Tester Equotip 550", "quantity": 1, "unit_price": 986000}],
        },
    ),
    Request("leave", "meyer", 0.2, {"name": "Meyer, Ingrid", "employee_number": "20418"}),
)
