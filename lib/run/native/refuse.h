/* Owns telling why a run does not start, to a person or to the Node process that waits for the result. */
#ifndef REFUSE_H
#define REFUSE_H

#include "options.h"

/* One line on --result-fd, "fail<TAB>CODE<TAB>MESSAGE<TAB>REMEDY", as the launch script does; else message and remedy on stderr. */
__attribute__((format(printf, 4, 5))) void refuse(const struct options *options, const char *code, const char *remedy,
						  const char *format, ...);

#endif
