/* Recipes: the JSON of a whole compression. Steps that are accepted are in range. */
#include "fuzz.h"

#include "recipe/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_step(const struct rci_recipe_step *s)
{
    if (s->kind == RC_RECIPE_PRUNE)
        FUZZ_CHECK(s->prune.macs >= 0 && s->prune.macs <= 1 && s->prune.retries <= 8);
    else if (s->kind == RC_RECIPE_TRAIN)
        FUZZ_CHECK(s->train.epochs >= 1 && s->train.lr > 0 && isfinite(s->train.lr));
    else if (s->kind == RC_RECIPE_QUANTIZE)
        FUZZ_CHECK(s->quantize.observer && s->quantize.lr > 0);
    else
        FUZZ_CHECK(s->kind == RC_RECIPE_FUSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rc_context *c = fuzz_context();
    struct rci_recipe r;
    struct rci_stage stage[RC_RECIPE_MAX_STEPS];
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    const rc_status st = rci_recipe_parse(&r, c, text);
    FUZZ_CHECK(st == RC_OK || st == RC_ERR_FORMAT);
    if (st == RC_OK) {
        const uint32_t n = rci_recipe_stages(&r, stage);
        FUZZ_CHECK(r.n >= 1 && r.n <= RC_RECIPE_MAX_STEPS && n >= 1 && n <= r.n);
        for (uint32_t i = 0; i < r.n; i++)
            check_step(&r.step[i]);
        rci_recipe_clear(&r);
    }
    free(text);
    fuzz_context_done(c);
    return 0;
}
