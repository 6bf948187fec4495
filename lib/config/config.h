/* config.h – the gateway's settings: one row each, from which come parser, bounds, dump, error messages and
 * documentation.
 *
 * A row: field, type, minimum, maximum, default, unit, sentence. The JSON key is the field's name. Durations are
 * written in milliseconds and end in _ms; sizes in bytes and hold _bytes. Ownership: hg_config_free() frees all;
 * strings are terminated by NUL. Errors: BAD_REQUEST and NOMEM, with a message that says where (path and line), what
 * was found and what is allowed. Calls out: none. */
#ifndef HG_CONFIG_CONFIG_H
#define HG_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_KIB 1024ull
#define HG_MIB (1024ull * HG_KIB)

/* TEXT(field, default, unit, sentence)  FLAG(field, default, sentence)  LIST(field, unit of an element, sentence)
 * NUMBER(field, minimum, maximum, default, unit, sentence). A text whose default is "" may be set to "": none. */
#define HG_SETTINGS(TEXT, FLAG, LIST, NUMBER)                                                                          \
    TEXT(listen, "127.0.0.1:8080", "HOST:PORT", "Where to accept connections; port 0 lets the system choose one.")     \
    TEXT(redis, "redis://127.0.0.1:6379", "URL",                                                                       \
         "The Redis server: redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n].")         \
    TEXT(log_level, "info", "error|warning|info|debug", "The least important lines that are logged.")                  \
    FLAG(page, true, "Serve the bundled page at /, the browser library at /client/ and the documentation at /docs/.")  \
    LIST(origins, "origin",                                                                                            \
         "Web origins besides the gateway's own that may connect, such as \"https://app.example\"; \"*\" admits "      \
         "every site.")                                                                                                \
    TEXT(workers, "1", "auto, 1 to 64",                                                                                \
         "Threads that serve clients, each with a share of them; auto: one for each core the process may use.")        \
    TEXT(tls_certificate, "", "path",                                                                                  \
         "The certificate to serve https and wss with, and its chain, PEM; relative to the configuration file.")       \
    TEXT(tls_key, "", "path", "The key of that certificate, PEM, without a password.")                                 \
    TEXT(tls_min_version, "1.2", "1.2|1.3", "The oldest version of TLS that is spoken.")                               \
    NUMBER(tls_reload_ms, 100, 86400000, 60000, "ms",                                                                  \
           "How often the two files are looked at; when they have changed, new connections get what they hold now.")   \
    NUMBER(connections_max, 1, 1000000, 10000, "connections", "Clients connected at the same time.")                   \
    NUMBER(handshakes_max, 4, 1000000, 512, "connections",                                                             \
           "Connections besides those that are no WebSocket, or not yet; when all of these places are taken, the one " \
           "that did nothing for the longest time has to go.")                                                         \
    NUMBER(handshake_timeout_ms, 100, 600000, 10000, "ms", "How long a connection may take to send a request.")        \
    NUMBER(                                                                                                            \
        memory_bytes_max, 0, 1024 * 1024 * HG_MIB, 0, "bytes",                                                         \
        "Bytes that the gateway may hold, as it counts them; from 7/8 of it on new clients and replays are refused, "  \
        "at it those who are furthest behind are closed. 0: what the machine or the cgroup allows, less a quarter.")   \
    NUMBER(                                                                                                            \
        overload_turn_ms, 0, 60000, 250, "ms",                                                                         \
        "How long a turn of the loop may take on average before new clients and replays are refused; 0: as long as "   \
        "it takes.")                                                                                                   \
    NUMBER(message_bytes_max, 1024, 64 * HG_MIB, 1 * HG_MIB, "bytes", "Largest message a client may send.")            \
    FLAG(deflate, true, "Agree to permessage-deflate: events are compressed once for all clients that offer it.")      \
    NUMBER(deflate_min_bytes, 0, 64 * HG_MIB, 512, "bytes", "Messages smaller than this are not compressed.")          \
    NUMBER(deflate_level, 1, 9, 3, "level", "How hard compression tries: 1 is fastest, 9 smallest.")                   \
    NUMBER(deflate_window_bits, 9, 15, 15, "bits",                                                                     \
           "How far back compression looks within a message: 2 to this power bytes; clients that allow less get "      \
           "their messages plain.")                                                                                    \
    NUMBER(event_bytes_max, 1024, 64 * HG_MIB, 1 * HG_MIB, "bytes",                                                    \
           "Largest event that is delivered or emitted; a larger one from Redis is told as a gap.")                    \
    NUMBER(subscriptions_per_session_max, 1, 100000, 256, "subscriptions", "Subscriptions of one client.")             \
    NUMBER(groups_max, 1, 10000000, 100000, "groups",                                                                  \
           "Distinct subscriptions (topic and options) of all clients of a worker.")                                   \
    NUMBER(topics_max, 1, 10000000, 100000, "topics",                                                                  \
           "Redis channels and streams that a worker follows at the same time.")                                       \
    NUMBER(log_bytes_max, 64 * HG_KIB, 1024 * HG_MIB, 4 * HG_MIB, "bytes",                                             \
           "Events one subscription group keeps for clients that are behind.")                                         \
    NUMBER(log_bytes_total_max, 1 * HG_MIB, 1024 * 1024 * HG_MIB, 256 * HG_MIB, "bytes",                               \
           "Events all groups and streams together keep; the oldest go first. Divided between the workers.")           \
    NUMBER(                                                                                                            \
        history_bytes_max, 0, 1024 * HG_MIB, 4 * HG_MIB, "bytes",                                                      \
        "Entries of one stream kept in memory, so that clients that come back need nothing of Redis. Divided between " \
        "the workers.")                                                                                                \
    NUMBER(history_ms, 0, 86400000, 600000, "ms", "How long such entries are kept at most.")                           \
    NUMBER(conflate_keys_max, 1, 1000000, 10000, "keys", "Keys of one subscription group that are conflated.")         \
    NUMBER(reply_bytes_max, 4 * HG_KIB, 64 * HG_MIB, 256 * HG_KIB, "bytes",                                            \
           "Answers waiting for one client; past it the client is closed.")                                            \
    NUMBER(linger_ms, 0, 3600000, 10000, "ms",                                                                         \
           "How long a topic stays subscribed in Redis after its last subscriber.")                                    \
    NUMBER(discover_ms, 50, 3600000, 1000, "ms", "How often Redis is asked for new streams that match a pattern.")     \
    FLAG(system_topic, false, "Serve the topic $system, which tells clients about the gateway and its topics.")        \
    NUMBER(system_ms, 100, 3600000, 5000, "ms", "How often $system tells about each topic.")                           \
    NUMBER(ping_ms, 100, 3600000, 25000, "ms", "How often each client is pinged.")                                     \
    NUMBER(pong_timeout_ms, 100, 3600000, 20000, "ms", "How long a client may take to answer a ping.")                 \
    NUMBER(stall_timeout_ms, 100, 3600000, 60000, "ms",                                                                \
           "How long a client may read nothing while events wait for it.")                                             \
    NUMBER(subscribe_timeout_ms, 10, 3600000, 5000, "ms", "How long a subscribe waits for Redis before error 108.")    \
    NUMBER(emit_timeout_ms, 10, 3600000, 10000, "ms", "How long an emit is retried before error 108.")                 \
    NUMBER(emits_per_session_max, 1, 100000, 256, "emits",                                                             \
           "Emits of one client that wait for Redis; then it is not read from until half of them are answered.")       \
    NUMBER(emits_max, 1, 1000000, 10000, "emits",                                                                      \
           "Emits of all clients that wait for Redis. Divided between the workers.")                                   \
    NUMBER(emits_bytes_max, 64 * HG_KIB, 16384 * HG_MIB, 64 * HG_MIB, "bytes",                                         \
           "Bytes of all emits that wait for Redis. Divided between the workers.")                                     \
    NUMBER(emit_rate_session, 0, 1000000, 0, "emits/s", "Emits a second of one client; 0: no limit.")                  \
    NUMBER(emit_rate_principal, 0, 1000000, 0, "emits/s",                                                              \
           "Emits a second of one user, over all connections to one worker; 0: no limit.")                             \
    NUMBER(emit_burst_ms, 100, 60000, 1000, "ms",                                                                      \
           "How many emits may come at once: as many as the rate allows in this time, at least one.")                  \
    NUMBER(emit_backoff_min_ms, 1, 60000, 50, "ms", "First delay before an emit is tried again.")                      \
    NUMBER(emit_backoff_max_ms, 1, 600000, 2000, "ms", "Longest delay before an emit is tried again.")                 \
    NUMBER(breaker_failures, 1, 1000, 3, "failures",                                                                   \
           "Failed calls to Redis in a row after which emits are refused at once (error 108).")                        \
    NUMBER(breaker_open_min_ms, 10, 600000, 500, "ms", "How long they are refused at first, before one is tried.")     \
    NUMBER(breaker_open_max_ms, 10, 600000, 5000, "ms", "How long they are refused at most, before one is tried.")     \
    NUMBER(durability_timeout_ms, 10, 60000, 1000, "ms",                                                               \
           "How long Redis may take to make an emit as durable as its topic asks.")                                    \
    NUMBER(redis_timeout_ms, 50, 600000, 5000, "ms", "How long Redis may take to accept a connection or to answer.")   \
    NUMBER(canary_ms, 100, 600000, 2000, "ms",                                                                         \
           "How often each connection to Redis must prove itself; one that does not answer for as long is made anew.") \
    NUMBER(redis_backoff_min_ms, 1, 600000, 50, "ms", "First delay before connecting to Redis again.")                 \
    NUMBER(redis_backoff_max_ms, 1, 600000, 3000, "ms", "Longest delay before connecting to Redis again.")             \
    NUMBER(streams_per_link_max, 1, 1000, 150, "streams", "Streams one blocking connection to Redis follows.")

enum hg_source_kind { HG_SOURCE_AUTO, HG_SOURCE_CHANNEL, HG_SOURCE_STREAM };
enum hg_dedupe { HG_DEDUPE_ONCE, HG_DEDUPE_BEST_EFFORT };

/* One row of "topics": how topics map to Redis; the first match wins. Same macro shapes, and
 * ENUM(field, C type, "allowed|values", default, sentence), the values in the order of the type. */
#define HG_RULE_SETTINGS(TEXT, FLAG, LIST, NUMBER, ENUM)                                                               \
    TEXT(match, NULL, "pattern", "The topics this rule is for; required.")                                             \
    ENUM(source, enum hg_source_kind, "auto|channel|stream", HG_SOURCE_AUTO,                                           \
         "Where they come from; auto asks Redis for the type of the key.")                                             \
    TEXT(key, "{topic}", "template", "The stream's key; {topic} stands for the topic.")                                \
    TEXT(channel, "{topic}", "template", "The channel's name; {topic} stands for the topic.")                          \
    TEXT(payload_field, "event", "field", "The field of a stream entry that holds the event.")                         \
    NUMBER(maxlen, 0, 1000000000000, 0, "entries", "About how many entries a stream keeps when clients emit; 0: all.") \
    FLAG(emit, true, "Whether clients may emit to these topics (streams only).")                                       \
    NUMBER(emit_rate, 0, 1000000, 0, "emits/s", "Emits a second to one topic through one worker; 0: no limit.")        \
    ENUM(dedupe, enum hg_dedupe, "once|best_effort", HG_DEDUPE_ONCE,                                                   \
         "once: an emit stands in the stream once, however often it is sent; best_effort: ids are not remembered, so " \
         "that an emit that is sent again may stand there twice.")                                                     \
    NUMBER(dedupe_window_ms, 1000, 604800000, 600000, "ms", "How long an emitted id is remembered.")                   \
    TEXT(durability, "memory", "memory, replicas:N, fsync",                                                            \
         "When an emit is acknowledged: memory, as soon as Redis has it; replicas:N, when N replicas have it too; "    \
         "fsync, when it is on the disk of Redis.")                                                                    \
    LIST(carry, "user|session|ip", "What is written with an emitted event about who sent it, each in a field.")        \
    LIST(types, "type",                                                                                                \
         "Types that emitted events may have, exact or with a * at the end, such as \"order.*\"; empty: all.")         \
    LIST(require, "requirement",                                                                                       \
         "Attributes that emitted events must have, such as \"subject\", or with the value they must have, such as "   \
         "\"source=shop\".")                                                                                           \
    TEXT(schema, "", "path", "A JSON Schema file that emitted events must match; relative to the configuration file.") \
    TEXT(dead_letter, "", "template",                                                                                  \
         "The stream that keeps emits which were refused as invalid; {topic} stands for the topic.")                   \
    NUMBER(dead_letter_maxlen, 0, 1000000000000, 100000, "entries",                                                    \
           "About how many entries such a stream keeps; 0: all.")

struct hg_string_list {
    char **items;
    size_t count;
};

struct hg_schema;

struct hg_rule {
#define TEXT(field, ...)       char *field;
#define FLAG(field, ...)       bool field;
#define LIST(field, ...)       struct hg_string_list field;
#define NUMBER(field, ...)     uint64_t field;
#define ENUM(field, type, ...) type field;
    HG_RULE_SETTINGS(TEXT, FLAG, LIST, NUMBER, ENUM)
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
#undef ENUM
    /* Files are read by the process: where `schema` stands in the configuration file, for its messages (0: nowhere),
     * and what it made of that file. Borrowed; hg_config_free() does not touch it. */
    size_t schema_line;
    const struct hg_schema *compiled_schema;
};

struct hg_config {
#define TEXT(field, ...)   char *field;
#define FLAG(field, ...)   bool field;
#define LIST(field, ...)   struct hg_string_list field;
#define NUMBER(field, ...) uint64_t field;
    HG_SETTINGS(TEXT, FLAG, LIST, NUMBER)
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
    struct hg_rule *rules; /* "topics" */
    size_t rule_count;
};

/* Every setting at its default, and the one rule {"match": "**", "source": "auto"}. */
HG_RESULT hg_config_new(struct hg_config **ret_config);
void hg_config_free(struct hg_config *config);
bool hg_string_list_has(const struct hg_string_list *list, struct hg_slice text);

/* Reads a whole JSON file. On failure `reterr` (the caller's buffer) holds one line such as
 * `config.json:7: topics[1].source: found "strem"; allowed: auto, channel, stream`; `name` is the file's name in it. */
HG_RESULT hg_config_parse(struct hg_slice name, struct hg_slice json, struct hg_config **ret_config,
                          struct hg_buf *reterr);
/* One setting from its text, as HEADGATE_LISTEN or --listen give it; `origin` names it in the message. Lists are
 * separated by commas; "topics" cannot be set this way. */
HG_RESULT hg_config_set(struct hg_config *config, struct hg_slice field, struct hg_slice text, struct hg_slice origin,
                        struct hg_buf *reterr);
/* Relations between settings, after the last change; same messages. */
HG_RESULT hg_config_check(const struct hg_config *config, struct hg_buf *reterr);

/* The configuration as JSON that hg_config_parse() reads back to the same; passwords in URLs are written as "***" if
 * `mask`. */
void hg_config_dump(const struct hg_config *config, bool mask, struct hg_buf *into);
/* The reference page, Markdown. */
void hg_config_document(struct hg_buf *into);
/* The i-th setting's name, NULL past the last: for HEADGATE_ variables. */
const char *hg_config_name(size_t i);

#endif
