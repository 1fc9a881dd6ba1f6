"""Reasons of dimming, of relays and of the grid operator's percentages, with what they say."""

CODES = {
    "dimmed": (4200, 4200, "C1"),
    "dimming_formula_failed": ("PB.input9", 1, "there is no PB.input9"),
    "dimming_binds": (4200, "C1"),
    "dimming_no_meter": (),
    "dimming_meter_late": (),
    "steerable_free": (),
    "steerable_fixed": (),
    "steerable_reduced": (),
    "steerable_evse": (),
    "output_failed": (1, "there is no C1.level"),
    "percent_of_nothing": ("sunspec", 30),
}
