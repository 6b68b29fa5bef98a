// ConvergeClient
