"""Reasons that only a site with a power manager gives, with what they say."""

CODES = {
    "mode_off": (),
    "pv_no_meter": (),
    "pv_too_little": (1380, 900),
    "pv_filter": (1380,),
    "pv_stop_filter": (1380,),
    "pv_steady": (4140,),
    "pv_hysteresis": (),
    "pv_limit": (),
    "phase_switch_stopping": (1,),
    "phase_switch_waiting": (1,),
    "phase_switch_locked": (3,),
    "phase_switch_failed": (1,),
    "external_no_release": (),
    "dynamic_load_limit": ("L1",),
    "dynamic_load_lost": (0,),
}
