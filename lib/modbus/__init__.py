"""Modbus without I/O: PDUs, RTU and TCP frames, register types, device templates."""
