"""A source of registers for the tests of the SunSpec server's map; runs on both interpreters."""

KEYS = "grid_demand consumed produced surplus consumed_evse available_evse error M1 M2 E1".split()


class MapError(Exception):
    """What the tests let a map raise."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Source:
    """Knows numbers for everything; what is written is in .written and reads back."""

    voltage_v = 230

    def __init__(self):
        self.energy_asked = []
        self.phases_asked = []
        self.silent = ()
        self.parameters = {2: 35000, 4: 0, 6: 1500, 8: 0, 10: 20000, 12: 1, 14: 0, 16: 100}
        self.flags = {}
        self.known = {"tarif": 1, "AVAIL": 0.5, "b": None}
        self.refuse = None

    def common(self, image):
        return ("RippleGate", "Charging manager", "", "0.1.0", "020000000001", 7)

    def readings(self, key, phases, energy):
        if key in self.silent:
            return None
        n = KEYS.index(key) + 1
        found = {"power_w": -690 * n, "soc": 55}
        phased = {
            "current_l1_ma": 1000 * n,
            "current_l2_ma": -2000 * n,
            "current_l3_ma": 0,
            "power_l1_w": -230 * n,
            "voltage_l1_v": 231,
            "voltage_l2_v": 229,
            "reactive_power_var": 10 * n,
        }
        if phases:
            self.phases_asked.append(key)
            found.update(phased)
        if energy:
            self.energy_asked.append(key)
            found["import_wh"] = 1000000 * n
            found["export_wh"] = 16777216 + n
        return found

    def role(self, id):
        return 3 if id == "M1" else 5

    def state(self, id):
        return 3

    def parameter(self, n):
        return self.parameters[n]

    def flag(self, n):
        return self.flags.get(n, 0)

    def variables(self):
        return sorted(self.known)

    def variable(self, name):
        return self.known[name]

    def state_of_all(self):
        return (dict(self.parameters), dict(self.flags), dict(self.known))

    def write(self, parameters, flags, variables):
        if self.refuse:
            raise MapError(self.refuse)
        self.parameters.update(parameters)
        self.flags.update(flags)
        self.known.update(variables)
