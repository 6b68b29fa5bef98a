// ConvergeEngine
