"""SunSpec devices (inverters, meters, batteries): finding their models, decoding what they say.

Pure: firmware/controller/sunspec_device.py does the asking. Source: SunSpec Device Information
Model Specification 1.1; the places of the points are those of the SunSpec model definitions.
"""
