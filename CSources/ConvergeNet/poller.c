#include "converge_net.h"
