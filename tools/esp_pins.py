"""What each pin of an ESP32 and ESP32-S3 can and must not do.

Sources: Espressif, ESP-IDF programming guide, "GPIO & RTC GPIO" and "Ethernet" of each chip; data
sheets, "Strapping Pins"; ESP32 series errata, GPIO-3.11 (glitch).
"""

CHIPS = {
    "esp32": {
        "pins": {*range(0, 20), 21, 22, 23, 25, 26, 27, *range(32, 40)},
        "flash": set(range(6, 12)),
        "psram": {16, 17},
        "console": {1: "UART0, the console", 3: "UART0, the console"},
        "input_only": set(range(34, 40)),
        "strapping": {
            0: "high at start, or the chip waits for a download",
            2: "low or open for a download",
            5: "high at start (SDIO timing)",
            12: "low at start, or the flash gets 1.8 V and nothing runs",
            15: "high at start, or the boot messages are silent",
        },
        "glitch": {36, 39},
    },
    "esp32s3": {
        "pins": {*range(0, 22), *range(26, 49)},
        "flash": set(range(26, 33)),
        "psram": set(range(33, 38)),
        "console": {
            43: "UART0, the console",
            44: "UART0, the console",
            19: "the USB port",
            20: "the USB port",
        },
        "input_only": set(),
        "strapping": {
            0: "high at start, or the chip waits for a download",
            3: "it chooses the JTAG port",
            45: "low at start, or the flash gets 1.8 V",
            46: "low at start",
        },
        "glitch": set(),
    },
}
RMII_DATA = {19: "TXD0", 21: "TX_EN", 22: "TXD1", 25: "RXD0", 26: "RXD1", 27: "CRS_DV"}
RMII_CLOCK = {"in": {0}, "out": {0, 16, 17}}
