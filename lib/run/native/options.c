/* Owns the command line: a strict parser, because a misread bound is a bound that does not hold. */
#include "options.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "say.h"
#include "values.h"

#define MOST_MS 1000000000000ULL /* 31 years: sums of two stay far from overflow */
#define MOST_BYTES (1ULL << 60)

enum kind { MILLISECONDS, BYTES, PATH, CGROUP, SLOT, VARIABLE, ID, LETTERS, HEAD, FLAG, DESCRIPTOR, PID, LIMIT, NUMBERS, PORT, WAY };

struct rule {
	const char *name;
	enum kind kind;
	size_t field;
	bool required;
};

#define FIELD(member) offsetof(struct options, member)

static const struct rule rules[] = {
	{ "--id", ID, FIELD(id), true },
	{ "--timeout-ms", MILLISECONDS, FIELD(timeout_ms), true },
	{ "--idle-ms", MILLISECONDS, FIELD(idle_ms), true },
	{ "--grace-ms", MILLISECONDS, FIELD(grace_ms), true },
	{ "--stdout-max", BYTES, FIELD(stdout_max), true },
	{ "--stderr-max", BYTES, FIELD(stderr_max), true },
	{ "--stdin", FLAG, FIELD(pass_stdin), false },
	{ "--cgroup", CGROUP, FIELD(cgroups), false },
	{ "--oom-file", PATH, FIELD(oom_file), false },
	{ "--pids-file", PATH, FIELD(pids_file), false },
	{ "--make", FLAG, FIELD(make), false },
	{ "--config", PATH, FIELD(config), false },
	{ "--limit", LIMIT, FIELD(limits), false },
	{ "--publish", PORT, FIELD(publications), false },
	{ "--best-effort", FLAG, FIELD(best_effort), false },
	{ "--apart", FLAG, FIELD(apart), false },
	{ "--init-in-group", FLAG, FIELD(init_in_group), false },
	{ "--seal", FLAG, FIELD(seal), false },
	{ "--let-go", FLAG, FIELD(let_go), false },
	{ "--map-uids", NUMBERS, FIELD(map_uids), false },
	{ "--map-gids", NUMBERS, FIELD(map_gids), false },
	{ "--newuidmap", PATH, FIELD(newuidmap), false },
	{ "--newgidmap", PATH, FIELD(newgidmap), false },
	{ "--inputs", PATH, FIELD(inputs), false },
	{ "--plan", ID, FIELD(plan), false },
	{ "--otherwise", BYTES, FIELD(otherwise_words), false },
	{ "--lacking", LETTERS, FIELD(lacking), false },
	{ "--manager", PATH, FIELD(manager), false },
	{ "--unit", ID, FIELD(unit), false },
	{ "--enter", FLAG, FIELD(enter), false },
	{ "--terminal", FLAG, FIELD(terminal), false },
	{ "--run-dir", PATH, FIELD(run_dir), false },
	{ "--slot", SLOT, FIELD(slots), false },
	{ "--env", VARIABLE, FIELD(environment), false },
	{ "--log", PATH, FIELD(log), false },
	{ "--record", PATH, FIELD(record), false },
	{ "--record-head", HEAD, FIELD(record_head), false },
	{ "--output-log", PATH, FIELD(output_log), false },
	{ "--activity", PATH, FIELD(activity), false },
	{ "--typed", PATH, FIELD(typed), false },
	{ "--hold", PATH, FIELD(hold), false },
	{ "--way-out", WAY, FIELD(way), false },
	{ "--size", ID, FIELD(size), false },
	{ "--result-fd", DESCRIPTOR, FIELD(result_fd), false },
	{ "--parent", PID, FIELD(parent), false },
	{ "--starter", PID, FIELD(starter), false },
	{ "--afterwards", PATH, FIELD(afterwards), false },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static bool take_value(const struct rule *rule, char *text, struct options *out)
{
	void *field = (char *)out + rule->field;
	uint64_t number;

	switch (rule->kind) {
	case MILLISECONDS:
		return parse_number(text, MOST_MS, field);
	case BYTES:
		return parse_number(text, MOST_BYTES, field);
	case ID:
		*(const char **)field = text;
		return is_id(text);
	case LETTERS:
		*(const char **)field = text;
		return *text != '\0' && strlen(text) <= strlen(LIMIT_LETTERS) &&
		       strspn(text, LIMIT_LETTERS) == strlen(text);
	case HEAD:
		*(const char **)field = text;
		return is_head(text);
	case PATH:
		*(const char **)field = text;
		return is_path(text);
	case CGROUP:
		if (out->cgroup_count == MOST_CGROUPS || !is_path(text))
			return false;
		out->cgroups[out->cgroup_count++] = text;
		return true;
	case SLOT:
		if (out->slot_count == MOST_SLOTS || !is_path(text))
			return false;
		out->slots[out->slot_count++] = text;
		return true;
	case VARIABLE:
		/* PATH comes first; the last place stays NULL. */
		if (out->variable_count == MOST_VARIABLES || !is_variable(text))
			return false;
		out->environment[++out->variable_count] = text;
		return true;
	case LIMIT:
		return out->limit_count < MOST_LIMITS && parse_limit(text, &out->limits[out->limit_count++]);
	case PORT:
		return out->publication_count < MOST_PORTS &&
		       parse_publication(text, &out->publications[out->publication_count++]);
	case WAY:
		return parse_way(text, &out->way);
	case NUMBERS:
		*(const char **)field = text;
		return is_numbers(text);
	case DESCRIPTOR:
		/* CLOEXEC at once: the guest must not be able to write its own result. */
		if (!parse_number(text, INT_MAX, &number) || number < 3 || fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0)
			return false;
		*(int *)field = (int)number;
		return true;
	case PID:
		if (!parse_number(text, INT_MAX, &number) || number == 0)
			return false;
		*(pid_t *)field = (pid_t)number;
		return true;
	case FLAG:
		break;
	}
	return false;
}

static const struct rule *find_rule(const char *name)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

static bool is_complete(const struct options *options, const bool *seen)
{
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].required && !seen[i]) {
			say("supervise: %s is missing", rules[i].name);
			return false;
		}
	}
	if (options->record != NULL && options->record_head == NULL) {
		say("supervise: --record needs --record-head");
		return false;
	}
	if ((options->make && options->run_dir == NULL) || (options->limit_count > 0 && !options->make)) {
		say("supervise: --make needs --run-dir, --limit needs --make");
		return false;
	}
	if (options->publication_count > 0 && (options->enter || options->run_dir == NULL)) {
		say("supervise: --publish needs --run-dir, and is not for --enter");
		return false;
	}
	if ((options->enter || options->terminal) && options->run_dir == NULL) {
		say("supervise: --enter and --terminal need --run-dir");
		return false;
	}
	if (options->map_uids != NULL || options->map_gids != NULL) {
		if (options->map_uids == NULL || options->map_gids == NULL || options->newuidmap == NULL ||
		    options->newgidmap == NULL) {
			say("supervise: --map-uids, --map-gids, --newuidmap and --newgidmap go together");
			return false;
		}
	}
	if ((options->inputs == NULL) != (options->plan == NULL) ||
	    (options->inputs == NULL) != (options->otherwise_words == 0)) {
		say("supervise: --inputs, --plan and --otherwise go together");
		return false;
	}
	if ((options->manager == NULL) != (options->unit == NULL)) {
		say("supervise: --manager and --unit go together");
		return false;
	}
	if (options->program[0] == NULL || !is_path(options->program[0])) {
		say("supervise: the program must be an absolute path after --");
		return false;
	}
	return true;
}

/* Cuts the command for a stale plan off the end of the words. */
static bool split_otherwise(struct options *out, char **end)
{
	const size_t words = (size_t)(end - out->program);

	if (out->otherwise_words == 0)
		return true;
	if (out->otherwise_words >= words) {
		say("supervise: --otherwise has a malformed value");
		return false;
	}
	/* Its first word is a mark: the place of the NULL that ends the program's words. */
	out->otherwise = end - out->otherwise_words + 1;
	out->otherwise[-1] = NULL;
	return out->otherwise[0] != NULL && is_path(out->otherwise[0]);
}

bool parse_options(int argc, char **argv, struct options *out)
{
	bool seen[RULES] = { false };
	int at = 1;

	*out = (struct options){ .result_fd = -1, .environment = { STANDARD_PATH } };
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		const struct rule *rule = find_rule(argv[at]);
		if (rule == NULL) {
			say("supervise: unknown option %.64s", argv[at]);
			return false;
		}
		if (seen[rule - rules] && rule->kind != CGROUP && rule->kind != SLOT && rule->kind != VARIABLE &&
		    rule->kind != LIMIT && rule->kind != PORT) {
			say("supervise: %s is given twice", rule->name);
			return false;
		}
		seen[rule - rules] = true;
		if (rule->kind == FLAG) {
			*(bool *)((char *)out + rule->field) = true;
			continue;
		}
		if (++at >= argc || !take_value(rule, argv[at], out)) {
			say("supervise: %s has a malformed value", rule->name);
			return false;
		}
	}
	if (at >= argc) {
		say("supervise: -- PROGRAM is missing");
		return false;
	}
	out->program = argv + at + 1;
	return is_complete(out, seen) && split_otherwise(out, argv + argc);
}
