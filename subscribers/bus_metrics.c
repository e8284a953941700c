/* One family after the other; those of lists go through the list. */
#include "subscribers/bus_metrics.h"

#include <stdbool.h>

#include "subscribers/metric_text.h"

static const struct {
    const char *key, *name, *type, *help;
} numbers[] = {
    {"started", "steno_daemon_start_time_seconds", "gauge", "When stenod was started, in Unix seconds."},
    {"last_offset", "steno_journal_last_offset", "gauge", "Offset of the newest event of the journal."},
    {"first_offset", "steno_journal_first_offset", "gauge", "Offset of the oldest event that is still in the journal."},
    {"journal_bytes", "steno_journal_bytes", "gauge", "What the events of the journal take in log.db."},
    {"log_bytes", "steno_log_bytes", "gauge", "Size of log.db with its write-ahead log."},
    {"pending_calls", "steno_pending_calls", "gauge", "Calls that have begun and not ended."},
    {"stored", "steno_stored_events_total", "counter", "Events stored since stenod was started."},
    {"duplicates", "steno_duplicate_events_total", "counter",
     "Events that came again and were passed over, since stenod was started."},
    {"malformed", "steno_malformed_messages_total", "counter",
     "Messages that were no events and were dropped, since stenod was started."},
    {"losses", "steno_lost_events_total", "counter", "Events that could not be kept, of all time (table loss)."},
};

static bool there(const steno_value *value) { return steno_value_type(value) != STENO_TYPE_NIL; }

static void put_numbers(const steno_value *status, FILE *out) {
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const steno_value *value = steno_value_get(status, numbers[i].key);
        if (!there(value)) continue;
        metric_family(out, numbers[i].name, numbers[i].type, numbers[i].help);
        metric_number(out, numbers[i].name, NULL, steno_value_double(value, 0));
    }
}

static void put_one(const char *name, const char *type, const char *help, double value, FILE *out) {
    metric_family(out, name, type, help);
    metric_number(out, name, NULL, value);
}

static void put_publishers(const steno_value *list, FILE *out) {
    size_t alive = 0;
    double bytes = 0;
    for (size_t i = 0; i < steno_value_count(list); i++) {
        const steno_value *one = steno_value_at(list, i);
        alive += steno_value_bool(steno_value_get(one, "alive"), false);
        bytes += steno_value_double(steno_value_get(one, "spool_bytes"), 0);
    }
    put_one("steno_publishers", "gauge", "Publishers that stenod knows of and whose process runs.", (double)alive, out);
    put_one("steno_spool_bytes", "gauge", "What the spools of all publishers take on disk.", bytes, out);
}

/* One family of a list: a sample for each entry that has the key. `told`: 1 where it is a text, 0 where it is nil. */
typedef struct list_family {
    const char *key, *name, *type, *help;
    bool told;
} list_family;

static void put_list(const steno_value *list, const char *label, const list_family *family, FILE *out) {
    metric_family(out, family->name, family->type, family->help);
    for (size_t i = 0; i < steno_value_count(list) && i < BUS_METRICS_SUBSCRIBERS_MAX; i++) {
        const steno_value *one = steno_value_at(list, i), *value = steno_value_get(one, family->key);
        const char *name = steno_value_string(steno_value_get(one, "name"), NULL);
        const metric_label labels[] = {{label, name}, {0}};
        if (!name || !(there(value) || family->told)) continue;
        metric_number(out, family->name, labels, family->told ? there(value) : steno_value_double(value, 0));
    }
}

static void put_subscribers(const steno_value *list, FILE *out) {
    static const list_family families[] = {
        {"lag", "steno_subscriber_lag_events", "gauge", "Events between the newest one and the subscriber's cursor.",
         false},
        {"dead_letters", "steno_subscriber_dead_letters_total", "counter", "Events that the subscriber has put aside.",
         false},
        {"problem", "steno_subscriber_problem", "gauge",
         "1 while the subscriber says that it has a problem (steno status tells which).", true},
    };
    put_one("steno_subscribers", "gauge", "Subscribers with a cursor, or with something to say.",
            (double)steno_value_count(list), out);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) put_list(list, "subscriber", &families[i], out);
}

static void put_children(const steno_value *list, FILE *out) {
    static const list_family families[] = {
        {"restarts", "steno_child_restarts_total", "counter",
         "How often stenod has started the subscriber again after it ended.", false},
        {"pid", "steno_child_up", "gauge", "1 while the subscriber that stenod runs is running.", true},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) put_list(list, "child", &families[i], out);
}

void bus_metrics_put(const steno_value *status, FILE *out) {
    put_one("steno_up", "gauge", "1 if stenod answers.", status != NULL, out);
    if (!status) return;
    put_numbers(status, out);
    put_one("steno_daemon_problem", "gauge", "1 while stenod cannot store events (steno status tells why).",
            there(steno_value_get(status, "problem")), out);
    put_one("steno_config_problem", "gauge", "1 while stenod.ini has an error and the configuration before it holds.",
            there(steno_value_get(status, "config_problem")), out);
    put_publishers(steno_value_get(status, "publishers"), out);
    put_subscribers(steno_value_get(status, "subscribers"), out);
    put_children(steno_value_get(status, "children"), out);
}
