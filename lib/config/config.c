#include "config/config.h"

#include <stdlib.h>

#include "config/settings.h"

hg_result hg_config_new(struct hg_config **ret_config)
{
    struct hg_config *config = calloc(1, sizeof(*config));
    if (!config)
        return HG_FAIL(NOMEM);
    hg_result result = hg_settings_init(hg_settings_of_config(), config);
    if (hg_ok(result)) {
        config->rules = calloc(1, sizeof(*config->rules));
        config->rule_count = config->rules ? 1 : 0;
        result = config->rules ? hg_settings_init(hg_settings_of_rule(), config->rules) : HG_FAIL(NOMEM);
    }
    if (hg_ok(result) && !(config->rules->match = strdup("**")))
        result = HG_FAIL(NOMEM);
    if (!hg_ok(result)) {
        hg_config_free(config);
        return result;
    }
    *ret_config = config;
    return HG_OK;
}

void hg_config_free(struct hg_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->rule_count; i++)
        hg_settings_done(hg_settings_of_rule(), &config->rules[i]);
    free(config->rules);
    hg_settings_done(hg_settings_of_config(), config);
    free(config);
}

const char *hg_config_name(size_t i)
{
    struct hg_settings settings = hg_settings_of_config();
    return i < settings.count ? settings.rows[i].name : NULL;
}
