// ConvergeJSON
