// ConvergeTransport
