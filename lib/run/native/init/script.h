#ifndef SCRIPT_H
#define SCRIPT_H

/* Executes /bin/sh with the file that `words` name, found as execvp(3) finds it. Comes back when it cannot; errno says why. */
void execute_script(char **words);

#endif
