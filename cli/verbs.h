/* What steno can do: one function and one file a verb. Each takes argv[0] = its own name and returns the exit status;
 * whatever it prints to standard output is checked by main in the end.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

int complete_run(int argc, char **argv);
int embed_run(int argc, char **argv);
int emit_run(int argc, char **argv);
int logs_run(int argc, char **argv);
int show_run(int argc, char **argv);
int tail_run(int argc, char **argv);
int cost_run(int argc, char **argv);
int budget_run(int argc, char **argv);
int prices_run(int argc, char **argv);
int recost_verb_run(int argc, char **argv);
int query_run(int argc, char **argv);
int status_run(int argc, char **argv);
int replay_run(int argc, char **argv);
int flush_run(int argc, char **argv);

#endif
