"""Input expanders of one byte on the simulated chip (PCF8574; TCA9554 through register 0)."""

import machine


class I2C:
    def __init__(self, number, scl=None, sda=None, freq=100000):
        machine.channel.follow()

    def scan(self):
        return sorted(machine.channel.expanders)

    def _byte(self, address):
        if address not in machine.channel.expanders:
            raise OSError(19, "no I2C device at %d" % address)
        return machine.channel.expanders[address]

    def readfrom(self, address, count):
        return bytes([self._byte(address)] * count)

    def readfrom_into(self, address, buffer):
        buffer[:] = self.readfrom(address, len(buffer))

    def readfrom_mem(self, address, register, count):
        return self.readfrom(address, count)

    def readfrom_mem_into(self, address, register, buffer):
        self.readfrom_into(address, buffer)

    def writeto(self, address, data):
        self._byte(address)
        if len(data) == 1 or data[0] == 1:  # register 3 of a TCA9554 says which bits are outputs
            machine.channel.send("i2c %d %d\n" % (address, data[-1]))

    def writeto_mem(self, address, register, data):
        self._byte(address)
        if register == 1:
            machine.channel.send("i2c %d %d\n" % (address, data[-1]))
