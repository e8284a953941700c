/* A list that is searched from end to end: it is short, and asked seldom. */
#include "daemon/reports.h"

#include <stdio.h>
#include <string.h>

report *reports_find(reports *self, const char *name) {
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp(self->list[i].name, name)) return &self->list[i];
    return NULL;
}

bool reports_set(reports *self, const char *name, const char *problem, uint64_t dead_letters, double now) {
    report *entry = reports_find(self, name);
    const bool well = !problem || !*problem;
    if (well && !dead_letters) {
        if (entry) *entry = self->list[--self->count];
        return true;
    }
    if (!entry) {
        if (self->count == REPORTS_MAX) return false;
        entry = &self->list[self->count++];
        *entry = (report){0};
        snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    if (well)
        entry->since = 0;
    else if (!entry->problem[0])
        entry->since = now;
    snprintf(entry->problem, sizeof entry->problem, "%s", well ? "" : problem);
    entry->said = now;
    entry->dead_letters = dead_letters;
    return true;
}
