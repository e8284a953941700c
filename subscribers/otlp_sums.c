#include "subscribers/otlp_sums.h"

#include <stdlib.h>
#include <string.h>

/* ---- the metrics ---- */

static const double SECONDS[] = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
static const double TOKENS[] = {1,     4,     16,     64,      256,     1024,     4096,
                                16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
#define BOUNDS 14
_Static_assert(sizeof SECONDS == BOUNDS * sizeof(double) && sizeof TOKENS == BOUNDS * sizeof(double), "one size");

typedef struct metric {
    const char *name, *unit, *about;
    const double *bounds; /* BOUNDS of them: a histogram; NULL: a counter */
    bool whole;           /* a counter of whole numbers */
} metric;

enum {
    DURATION,
    FIRST_CHUNK,
    INPUT,
    OUTPUT,
    CACHE_READ,
    CACHE_WRITE,
    REASONING,
    INPUT_EACH,
    OUTPUT_EACH,
    TOKEN_USAGE,
    COST
};

static const metric METRICS[] = {
    [DURATION] = {"gen_ai.client.operation.duration", "s", "GenAI operation duration", SECONDS, false},
    [FIRST_CHUNK] = {"gen_ai.client.operation.time_to_first_chunk", "s", "Time to the first chunk of a stream", SECONDS,
                     false},
    [INPUT] = {"gen_ai.client.inference.usage.input_tokens", "{token}", "Input tokens used, cached ones included", NULL,
               true},
    [OUTPUT] = {"gen_ai.client.inference.usage.output_tokens", "{token}", "Output tokens used, reasoning included",
                NULL, true},
    [CACHE_READ] = {"gen_ai.client.inference.usage.cache_read.input_tokens", "{token}",
                    "Input tokens read from the provider's cache", NULL, true},
    [CACHE_WRITE] = {"gen_ai.client.inference.usage.cache_write.input_tokens", "{token}",
                     "Input tokens written to the provider's cache", NULL, true},
    [REASONING] = {"gen_ai.client.inference.usage.reasoning.output_tokens", "{token}",
                   "Output tokens used for reasoning", NULL, true},
    [INPUT_EACH] = {"gen_ai.client.inference.operation.input_tokens", "{token}", "Input tokens of an operation", TOKENS,
                    false},
    [OUTPUT_EACH] = {"gen_ai.client.inference.operation.output_tokens", "{token}", "Output tokens of an operation",
                     TOKENS, false},
    [TOKEN_USAGE] = {"gen_ai.client.token.usage", "{token}", "Input and output tokens of an operation", TOKENS, false},
    [COST] = {"steno.cost", "{USD}", "What the calls cost, as far as that is known", NULL, false},
};
#define METRIC_COUNT (sizeof METRICS / sizeof *METRICS)

struct otlp_series {
    const metric *metric;
    Otlp__Resource *resource;
    Otlp__KeyValue **attributes;
    size_t attribute_count;
    uint64_t count; /* of measurements */
    double sum;     /* exact for whole numbers up to 2^53 */
    uint64_t buckets[BOUNDS + 1];
};

/* ---- series ---- */

static otlp_series *find(const otlp_sums *self, const metric *what, const Otlp__Resource *resource,
                         Otlp__KeyValue *const *attributes, size_t count) {
    for (size_t i = 0; i < self->count; i++) {
        otlp_series *series = self->series[i];
        if (series->metric == what &&
            otlp_attributes_equal(series->attributes, series->attribute_count, attributes, count) &&
            otlp_resource_equal(series->resource, resource))
            return series;
    }
    return NULL;
}

static Otlp__KeyValue **copy_attributes(otlp_arena *arena, Otlp__KeyValue *const *from, size_t count) {
    otlp_attributes list = {.arena = arena};
    for (size_t i = 0; i < count; i++) {
        const char *key = otlp_arena_text(arena, from[i]->key);
        const Otlp__AnyValue *value = from[i]->value;
        if (value->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
            otlp_put_text(&list, key, otlp_arena_text(arena, value->string_value));
        else if (value->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE)
            otlp_put_int(&list, key, value->int_value);
        else if (value->value_case == OTLP__ANY_VALUE__VALUE_BOOL_VALUE)
            otlp_put_bool(&list, key, value->bool_value);
    }
    return list.items;
}

/* The resource as one that a series of these sums has already, or a copy of it. */
static Otlp__Resource *keep_resource(otlp_sums *self, const Otlp__Resource *resource) {
    for (size_t i = 0; i < self->count; i++)
        if (otlp_resource_equal(self->series[i]->resource, resource)) return self->series[i]->resource;
    Otlp__Resource *copy = otlp_arena_take(&self->arena, sizeof *copy);
    otlp__resource__init(copy);
    copy->attributes = copy_attributes(&self->arena, resource->attributes, resource->n_attributes);
    copy->n_attributes = resource->n_attributes;
    return copy;
}

static otlp_series *add_series(otlp_sums *self, const metric *what, const Otlp__Resource *resource,
                               Otlp__KeyValue *const *attributes, size_t count) {
    otlp_series *series = otlp_arena_take(&self->arena, sizeof *series);
    series->metric = what;
    series->resource = keep_resource(self, resource);
    series->attributes = copy_attributes(&self->arena, attributes, count);
    series->attribute_count = count;
    otlp_arena_grow(&self->arena, (void **)&self->series, self->count, &self->room, sizeof(void *));
    return self->series[self->count++] = series;
}

static otlp_series *series_for(otlp_sums *self, const metric *what, const Otlp__Resource *resource,
                               const otlp_attributes *attributes) {
    otlp_series *series = find(self, what, resource, attributes->items, attributes->count);
    if (series) return series;
    if (self->count < OTLP_SERIES_MAX) return add_series(self, what, resource, attributes->items, attributes->count);
    /* One such series a metric and app; where even the apps are too many, the first app's. */
    otlp_attributes overflow = {.arena = attributes->arena};
    otlp_put_bool(&overflow, "otel.metric.overflow", true);
    const bool crowded = self->count >= OTLP_SERIES_MAX + 10 * METRIC_COUNT;
    const Otlp__Resource *whose = crowded ? self->series[0]->resource : resource;
    series = find(self, what, whose, overflow.items, overflow.count);
    return series ? series : add_series(self, what, whose, overflow.items, overflow.count);
}

/* ---- counting ---- */

/* What one event is counted with. */
typedef struct counting {
    otlp_sums *sums;
    otlp_arena arena;
    const otlp_call *call;
    Otlp__Resource *resource;
} counting;

static otlp_attributes labels(counting *self, bool duration) {
    const otlp_call *call = self->call;
    otlp_attributes list = {.arena = &self->arena};
    otlp_put_text(&list, "gen_ai.operation.name", call->operation);
    otlp_put_text(&list, "gen_ai.provider.name", call->provider);
    otlp_put_text(&list, "gen_ai.request.model", call->model);
    otlp_put_text(&list, "gen_ai.response.model", call->response_model);
    otlp_put_text(&list, "server.address", call->address);
    if (call->address && call->port) otlp_put_int(&list, "server.port", call->port);
    if (duration) otlp_put_text(&list, "error.type", call->error_type);
    if (duration && call->cache_hit) otlp_put_bool(&list, "steno.cache_hit", true); /* not the provider's speed */
    return list;
}

static void measure(counting *self, size_t which, const otlp_attributes *attributes, double value) {
    const metric *what = &METRICS[which];
    otlp_series *series = series_for(self->sums, what, self->resource, attributes);
    series->count++;
    series->sum += value;
    if (!what->bounds) return;
    size_t bucket = 0;
    while (bucket < BOUNDS && value > what->bounds[bucket]) bucket++; /* bounds are inclusive */
    series->buckets[bucket]++;
}

static void measure_tokens(counting *self, size_t which, const char *modality, int64_t count) {
    otlp_attributes list = labels(self, false);
    otlp_put_text(&list, "gen_ai.token.modality", modality);
    if (count > 0) measure(self, which, &list, (double)count);
}

/* A figure in the parts that the provider told apart. What is left is text where it told any, else nobody knows. */
static void measure_parts(counting *self, size_t which, const char *whole, const char *audio_field,
                          const char *image_field) {
    int64_t rest = otlp_usage(self->call, whole);
    const int64_t audio = audio_field ? otlp_usage(self->call, audio_field) : -1;
    const int64_t image = image_field ? otlp_usage(self->call, image_field) : -1;
    measure_tokens(self, which, "audio", audio);
    measure_tokens(self, which, "image", image);
    if (audio > 0) rest -= audio;
    if (image > 0) rest -= image;
    measure_tokens(self, which, audio >= 0 || image >= 0 ? "text" : "unknown", rest);
}

static void count_usage(counting *self) {
    const int64_t input = otlp_usage(self->call, "prompt_tokens"), output = otlp_usage(self->call, "completion_tokens");
    otlp_attributes list = labels(self, false);
    measure_parts(self, INPUT, "prompt_tokens", "prompt_audio_tokens", "prompt_image_tokens");
    measure_parts(self, OUTPUT, "completion_tokens", "completion_audio_tokens", "completion_image_tokens");
    measure_parts(self, CACHE_READ, "cached_tokens", "cached_audio_tokens", NULL);
    measure_parts(self, CACHE_WRITE, "cache_write_tokens", NULL, NULL);
    measure_parts(self, REASONING, "reasoning_tokens", NULL, NULL);
    if (input >= 0) measure(self, INPUT_EACH, &list, (double)input);
    if (output >= 0) measure(self, OUTPUT_EACH, &list, (double)output);
}

static void count_usage_1_41(counting *self) {
    const struct {
        const char *field, *type;
    } figures[] = {{"prompt_tokens", "input"}, {"completion_tokens", "output"}};
    for (size_t i = 0; i < 2; i++) {
        const int64_t count = otlp_usage(self->call, figures[i].field);
        otlp_attributes list = labels(self, false);
        otlp_put_text(&list, "gen_ai.token.type", figures[i].type);
        if (count >= 0) measure(self, TOKEN_USAGE, &list, (double)count);
    }
}

static void count_call(counting *self) {
    const otlp_call *call = self->call;
    otlp_attributes timed = labels(self, true), plain = labels(self, false);
    if (call->seconds >= 0) measure(self, DURATION, &timed, call->seconds);
    if (call->stream && call->first_chunk_seconds >= 0 && call->first_chunk_seconds <= OTLP_CALL_SECONDS_MAX &&
        !call->cache_hit)
        measure(self, FIRST_CHUNK, &plain, call->first_chunk_seconds);
    if (self->sums->semconv == OTLP_SEMCONV_1_41)
        count_usage_1_41(self);
    else
        count_usage(self);
    if (call->cost_usd >= 0 && !call->cache_hit) measure(self, COST, &plain, call->cost_usd);
}

void otlp_sums_begin(otlp_sums *sums, otlp_semconv semconv, const otlp_resource_set *set, steno_prices *prices,
                     uint64_t now_ns) {
    *sums = (otlp_sums){.semconv = semconv, .set = set, .prices = prices, .start_ns = now_ns};
}

void otlp_sums_add(otlp_sums *sums, const steno_event *event) {
    const uint64_t offset = steno_event_offset(event);
    if (offset <= sums->offset) return;
    otlp_call call;
    counting one = {.sums = sums, .call = &call};
    if (otlp_call_read(&one.arena, event, sums->prices, &call)) {
        one.resource = otlp_resource(&one.arena, event, sums->set, false);
        count_call(&one);
    }
    otlp_arena_clear(&one.arena);
    const char *call_id = steno_event_string(event, "call_id");
    sums->offset = offset;
    sums->call_id[0] = '\0';
    if (call_id && strlen(call_id) < sizeof sums->call_id) strcpy(sums->call_id, call_id);
}

void otlp_sums_reset(otlp_sums *sums, uint64_t now_ns) {
    otlp_arena_clear(&sums->arena);
    sums->series = NULL;
    sums->count = sums->room = 0;
    sums->start_ns = now_ns;
}

void otlp_sums_end(otlp_sums *sums) { otlp_arena_clear(&sums->arena); }

/* ---- as a request ---- */

static void add_counter_point(otlp_arena *arena, Otlp__Metric *to, const otlp_series *series, uint64_t start_ns,
                              uint64_t now_ns, size_t room) {
    Otlp__NumberPoint *point = otlp_arena_take(arena, sizeof *point);
    otlp__number_point__init(point);
    point->attributes = series->attributes;
    point->n_attributes = series->attribute_count;
    point->start_time_unix_nano = start_ns;
    point->time_unix_nano = now_ns;
    point->value_case = series->metric->whole ? OTLP__NUMBER_POINT__VALUE_AS_INT : OTLP__NUMBER_POINT__VALUE_AS_DOUBLE;
    if (series->metric->whole)
        point->as_int = series->sum < (double)INT64_MAX ? (int64_t)series->sum : INT64_MAX;
    else
        point->as_double = series->sum;
    if (!to->sum->data_points) to->sum->data_points = otlp_arena_take(arena, room * sizeof(void *));
    to->sum->data_points[to->sum->n_data_points++] = point;
}

static void add_histogram_point(otlp_arena *arena, Otlp__Metric *to, const otlp_series *series, uint64_t start_ns,
                                uint64_t now_ns, size_t room) {
    Otlp__HistogramPoint *point = otlp_arena_take(arena, sizeof *point);
    otlp__histogram_point__init(point);
    point->attributes = series->attributes;
    point->n_attributes = series->attribute_count;
    point->start_time_unix_nano = start_ns;
    point->time_unix_nano = now_ns;
    point->count = series->count;
    point->if_sum_case = OTLP__HISTOGRAM_POINT__IF_SUM_SUM;
    point->sum = series->sum;
    point->bucket_counts = (uint64_t *)(uintptr_t)series->buckets;
    point->n_bucket_counts = BOUNDS + 1;
    point->explicit_bounds = (double *)(uintptr_t)series->metric->bounds;
    point->n_explicit_bounds = BOUNDS;
    if (!to->histogram->data_points) to->histogram->data_points = otlp_arena_take(arena, room * sizeof(void *));
    to->histogram->data_points[to->histogram->n_data_points++] = point;
}

static Otlp__Metric *new_metric(otlp_arena *arena, const metric *what, int temporality) {
    Otlp__Metric *out = otlp_arena_take(arena, sizeof *out);
    otlp__metric__init(out);
    out->name = (char *)(uintptr_t)what->name;
    out->unit = (char *)(uintptr_t)what->unit;
    out->description = (char *)(uintptr_t)what->about;
    if (what->bounds) {
        out->data_case = OTLP__METRIC__DATA_HISTOGRAM;
        out->histogram = otlp_arena_take(arena, sizeof *out->histogram);
        otlp__histogram__init(out->histogram);
        out->histogram->aggregation_temporality = temporality;
    } else {
        out->data_case = OTLP__METRIC__DATA_SUM;
        out->sum = otlp_arena_take(arena, sizeof *out->sum);
        otlp__sum__init(out->sum);
        out->sum->aggregation_temporality = temporality;
        out->sum->is_monotonic = true;
    }
    return out;
}

/* The metric in the resource's group; both are made where they are not there yet. */
static Otlp__Metric *place_for(const otlp_sums *self, otlp_arena *arena, Otlp__MetricsRequest *request,
                               const otlp_series *series, int temporality) {
    Otlp__ResourceMetrics *group = NULL;
    for (size_t i = 0; i < request->n_resource_metrics && !group; i++)
        if (request->resource_metrics[i]->resource == series->resource) group = request->resource_metrics[i];
    if (!group) {
        group = otlp_arena_take(arena, sizeof *group);
        otlp__resource_metrics__init(group);
        group->resource = series->resource;
        group->n_scope_metrics = 1;
        group->scope_metrics = otlp_arena_take(arena, sizeof(void *));
        Otlp__ScopeMetrics *scope = group->scope_metrics[0] = otlp_arena_take(arena, sizeof *scope);
        otlp__scope_metrics__init(scope);
        scope->scope = otlp_scope(arena);
        scope->schema_url = (char *)(uintptr_t)otlp_semconv_url(self->semconv);
        scope->metrics = otlp_arena_take(arena, METRIC_COUNT * sizeof(void *));
        request->resource_metrics[request->n_resource_metrics++] = group;
    }
    Otlp__ScopeMetrics *scope = group->scope_metrics[0];
    for (size_t i = 0; i < scope->n_metrics; i++)
        if (scope->metrics[i]->name == series->metric->name) return scope->metrics[i];
    return scope->metrics[scope->n_metrics++] = new_metric(arena, series->metric, temporality);
}

Otlp__MetricsRequest *otlp_sums_request(const otlp_sums *sums, otlp_arena *arena, int temporality, uint64_t now_ns) {
    if (!sums->count) return NULL;
    Otlp__MetricsRequest *request = otlp_arena_take(arena, sizeof *request);
    otlp__metrics_request__init(request);
    request->resource_metrics = otlp_arena_take(arena, sums->count * sizeof(void *));
    for (size_t i = 0; i < sums->count; i++) {
        const otlp_series *series = sums->series[i];
        Otlp__Metric *to = place_for(sums, arena, request, series, temporality);
        if (series->metric->bounds)
            add_histogram_point(arena, to, series, sums->start_ns, now_ns, sums->count - i);
        else
            add_counter_point(arena, to, series, sums->start_ns, now_ns, sums->count - i);
    }
    return request;
}

/* ---- back out of a request ---- */

static void restore_metric(otlp_sums *self, const Otlp__Resource *resource, const Otlp__Metric *from) {
    const metric *what = NULL;
    for (size_t i = 0; i < METRIC_COUNT && !what; i++)
        if (!strcmp(METRICS[i].name, from->name)) what = &METRICS[i];
    const bool histogram = from->data_case == OTLP__METRIC__DATA_HISTOGRAM;
    if (!what || (what->bounds != NULL) != histogram) return;
    for (size_t i = 0; histogram && i < from->histogram->n_data_points; i++) {
        const Otlp__HistogramPoint *point = from->histogram->data_points[i];
        if (point->n_bucket_counts != BOUNDS + 1 || self->count >= 2 * OTLP_SERIES_MAX) continue;
        otlp_series *series = add_series(self, what, resource, point->attributes, point->n_attributes);
        series->count = point->count;
        series->sum = point->if_sum_case == OTLP__HISTOGRAM_POINT__IF_SUM_SUM ? point->sum : 0;
        memcpy(series->buckets, point->bucket_counts, sizeof series->buckets);
    }
    for (size_t i = 0; !histogram && from->data_case == OTLP__METRIC__DATA_SUM && i < from->sum->n_data_points; i++) {
        const Otlp__NumberPoint *point = from->sum->data_points[i];
        if (self->count >= 2 * OTLP_SERIES_MAX) continue;
        otlp_series *series = add_series(self, what, resource, point->attributes, point->n_attributes);
        series->sum = point->value_case == OTLP__NUMBER_POINT__VALUE_AS_INT ? (double)point->as_int : point->as_double;
    }
}

void otlp_sums_restore(otlp_sums *sums, const Otlp__MetricsRequest *request) {
    for (size_t i = 0; i < request->n_resource_metrics; i++) {
        const Otlp__ResourceMetrics *group = request->resource_metrics[i];
        for (size_t s = 0; group->resource && s < group->n_scope_metrics; s++)
            for (size_t m = 0; m < group->scope_metrics[s]->n_metrics; m++)
                restore_metric(sums, group->resource, group->scope_metrics[s]->metrics[m]);
    }
}
