// ConvergeServer
