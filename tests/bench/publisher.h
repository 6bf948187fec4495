/* publisher.h – the backend of a benchmark: publishes to Redis, pipelined over one connection.
 *
 * Whatever is unexpected ends the program with a sentence: an error, or a channel on which others than the gateway
 * listens (one of several workers is a gateway here). Calls out: Redis. */
#ifndef HGT_BENCH_PUBLISHER_H
#define HGT_BENCH_PUBLISHER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct redisContext;

struct hgt_publisher {
    struct redisContext *redis;
    bool stream;           /* XADD instead of PUBLISH */
    long long subscribers; /* that each channel must have in Redis */
    size_t replies_due;    /* told */
};

/* `stream` and `subscribers` are set before. */
void hgt_publisher_open(struct hgt_publisher *publisher, struct sockaddr_in address);
void hgt_publisher_close(struct hgt_publisher *publisher);
int hgt_publisher_fd(const struct hgt_publisher *publisher);
/* Goes with the next flush. */
void hgt_publisher_put(struct hgt_publisher *publisher, const char *topic, const char *event);
void hgt_publisher_flush(struct hgt_publisher *publisher);
/* Answers may have come. */
void hgt_publisher_ready(struct hgt_publisher *publisher);

#endif
