// ConvergeWire
