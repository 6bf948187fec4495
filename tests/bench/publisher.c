#include "bench/publisher.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>

#include "bench/process.h"

#define STREAM_LENGTH_MAX "100000"

void hgt_publisher_open(struct hgt_publisher *publisher, struct sockaddr_in address)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    redisContext *redis = redisConnectWithTimeout(host, ntohs(address.sin_port), (struct timeval){.tv_sec = 5});
    if (!redis || redis->err)
        hgt_die("Redis: %s", redis ? redis->errstr : "out of memory");
    publisher->redis = redis;
}

void hgt_publisher_close(struct hgt_publisher *publisher)
{
    redisFree(publisher->redis);
}

int hgt_publisher_fd(const struct hgt_publisher *publisher)
{
    return publisher->redis->fd;
}

void hgt_publisher_put(struct hgt_publisher *publisher, const char *topic, const char *event)
{
    const char *to_stream[] = {"XADD", topic, "MAXLEN", "~", STREAM_LENGTH_MAX, "*", "event", event};
    const char *to_channel[] = {"PUBLISH", topic, event};
    int done = publisher->stream ? redisAppendCommandArgv(publisher->redis, 8, to_stream, NULL)
                                 : redisAppendCommandArgv(publisher->redis, 3, to_channel, NULL);
    if (done != REDIS_OK)
        hgt_die("Redis: %s", publisher->redis->errstr);
    publisher->replies_due++;
}

void hgt_publisher_flush(struct hgt_publisher *publisher)
{
    int all_sent = 0;
    while (!all_sent)
        if (redisBufferWrite(publisher->redis, &all_sent) != REDIS_OK)
            hgt_die("Redis: %s", publisher->redis->errstr);
}

void hgt_publisher_ready(struct hgt_publisher *publisher)
{
    if (redisBufferRead(publisher->redis) != REDIS_OK)
        hgt_die("Redis: %s", publisher->redis->errstr);
    void *answer;
    while (redisGetReplyFromReader(publisher->redis, &answer) == REDIS_OK && answer) {
        const redisReply *reply = answer;
        if (reply->type == REDIS_REPLY_ERROR)
            hgt_die("Redis: %s", reply->str);
        if (!publisher->stream && (reply->type != REDIS_REPLY_INTEGER || reply->integer != publisher->subscribers))
            hgt_die("Redis passed an event on to %lld subscribers; it should be %lld", reply->integer,
                    publisher->subscribers);
        freeReplyObject(answer);
        publisher->replies_due--;
    }
    if (publisher->redis->err)
        hgt_die("Redis: %s", publisher->redis->errstr);
}
