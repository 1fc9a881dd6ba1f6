"""What the exception codes of a server mean; in RAM only after a refusal."""

# MODBUS Application Protocol Specification V1.1b3, section 7, code 1 first.
NAMES = (
    "illegal function|illegal data address|illegal data value|server device failure"
    "|acknowledged, takes longer|server device busy||memory parity error"
    "||gateway path unavailable|gateway target does not answer"
).split("|")
