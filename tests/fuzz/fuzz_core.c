/* fuzz_core – bytes choose the operations of a simulated world (tests/sim): eight for the seed, which gives the world
 * its manners and the delays, then nine an operation. Whatever is asked, no rule of the oracle may break. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

enum { OPERATIONS_MAX = 200, OPERATION_BYTES = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t seed = 0;

    if (size < sizeof seed)
        return 0;
    memcpy(&seed, data, sizeof seed);
    data += sizeof seed;
    size -= sizeof seed;

    struct sim_world *world = sim_world_new(seed);
    bool good = true;
    for (int i = 0; good && i < OPERATIONS_MAX && size >= OPERATION_BYTES; i++) {
        struct sim_op op = {.kind = (enum sim_op_kind)(data[0] % SIM_OP__COUNT)};

        memcpy(&op.a, data + 1, sizeof op.a);
        memcpy(&op.b, data + 5, sizeof op.b);
        data += OPERATION_BYTES;
        size -= OPERATION_BYTES;
        good = sim_world_apply(world, op);
    }
    if (!good || !sim_world_finish(world)) {
        fprintf(stderr, "fuzz_core: %s\n", sim_world_violation(world));
        abort();
    }
    sim_world_free(world);
    return 0;
}
