#include "deadletter_command.h"

#include "cli.h"
#include "deadletter/act.h"
#include "deadletter/list.h"

/* Settings as the gateway has them: the file, the environment, and the flags that are the gateway's too. */
static bool read_settings(const struct hg_errand *errand, char **environment, struct hg_cli *ret_cli, int *ret_exit)
{
    char program[] = "headgate", config[] = "--config", redis[] = "--redis";
    char *argv[6] = {program};
    int argc = 1;
    if (errand->value[HG_ERRAND_CONFIG]) {
        argv[argc++] = config;
        argv[argc++] = (char *)errand->value[HG_ERRAND_CONFIG];
    }
    if (errand->value[HG_ERRAND_REDIS]) {
        argv[argc++] = redis;
        argv[argc++] = (char *)errand->value[HG_ERRAND_REDIS];
    }
    return hg_cli_read(argc, argv, environment, ret_cli, ret_exit);
}

static int run(const struct hg_errand *errand, const struct hg_cli *cli)
{
    static int (*const runs[HG_VERB__COUNT])(const struct hg_errand *, struct hg_box *) = {
        [HG_VERB_LIST] = hg_deadletter_list,
        [HG_VERB_SHOW] = hg_deadletter_show,
        [HG_VERB_REPLAY] = hg_deadletter_replay,
        [HG_VERB_DROP] = hg_deadletter_drop,
    };
    struct hg_box box;
    int code;
    if (hg_box_open(cli->config, &cli->redis, errand->value[HG_ERRAND_TOPIC], errand->key, &box))
        code = runs[errand->verb](errand, &box);
    else
        code = hg_errand_tell(errand, &box);
    hg_box_done(&box);
    return hg_errand_flush(errand) || code != HG_ERRAND_DONE ? code : HG_ERRAND_FAILED;
}

int hg_deadletter_command(int argc, char **argv, char **environment)
{
    struct hg_errand errand;
    struct hg_cli cli;
    int code;
    if (hg_errand_read(argc, argv, &errand, &code) && read_settings(&errand, environment, &cli, &code)) {
        code = run(&errand, &cli);
        hg_cli_done(&cli);
    }
    hg_errand_done(&errand);
    return code;
}
