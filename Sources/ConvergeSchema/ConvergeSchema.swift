// ConvergeSchema
