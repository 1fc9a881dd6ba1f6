"""Ethernet of a board: RMII (such as LAN8720) or a W5500 on SPI; imported only where it is."""

import time

import machine
import network


def make(part):
    """The interface that the part "ethernet" of board.json describes; not switched on yet.

    Arguments as network_lan.c of the esp32 port 1.25 takes them. OSError or ValueError where the
    chip does not answer, AttributeError where this MicroPython lacks its driver.
    """
    pin = machine.Pin
    if part.get("rst") is not None:  # not left to the driver: LAN(reset=) is newer than 1.25
        reset = pin(part["rst"], pin.OUT, value=0)
        time.sleep_ms(2)
        reset.value(1)
        time.sleep_ms(50)
    if part["kind"] == "w5500":
        spi = machine.SPI(
            part["spi"], sck=pin(part["sck"]), mosi=pin(part["mosi"]), miso=pin(part["miso"])
        )
        options = {"spi": spi, "cs": pin(part["cs"]), "int": pin(part["int"])}
        options["phy_type"] = network.PHY_W5500
        options["phy_addr"] = part.get("addr", 0)
        return network.LAN(**options)
    options = {"mdc": pin(part["mdc"]), "mdio": pin(part["mdio"]), "phy_addr": part["addr"]}
    options["phy_type"] = getattr(network, "PHY_" + part["phy"])
    for name in ("power", "ref_clk"):
        if part.get(name) is not None:
            options[name] = pin(part[name])
    if part.get("ref_clk_mode"):
        options["ref_clk_mode"] = pin.OUT if part["ref_clk_mode"] == "out" else pin.IN
    return network.LAN(**options)
