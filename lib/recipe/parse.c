/* Recipe JSON -> steps. Unknown keys are refused: a typing error must not be a silent default. */
#include "recipe/recipe.h"

#include <string.h>

static const char default_text[] =
    "{ \"schema\": 1, \"steps\": [\n"
    "  { \"step\": \"prune\", \"macs\": 0.6, \"retries\": 2 },\n"
    "  { \"step\": \"train\", \"epochs\": 5, \"lr\": 0.01, \"rate\": \"cosine\",\n"
    "    \"augmentation\": \"crop+flip\", \"distill\": true },\n"
    "  { \"step\": \"quantize\", \"observer\": \"mse\", \"images\": 512 } ] }\n";

const char *rci_recipe_default_text(void)
{
    return default_text;
}

/* A list of texts, or one. */
static rc_status read_texts(const struct rci_json_value *v, const char *key, const char **list,
                            uint32_t *n)
{
    const struct rci_json_value *all = rci_json_get(v, key);
    if (!all || all->type == RC_JSON_NULL)
        return RC_OK;
    if (all->type == RC_JSON_STRING) {
        list[(*n)++] = all->text;
        return RC_OK;
    }
    RC_TRY(rci_json_expect(all, RC_JSON_ARRAY, key));
    if (all->count > RC_RECIPE_MAX_LISTED)
        return rci_fail(RC_ERR_FORMAT, "%s: %u entries, at most %d", key, all->count,
                        RC_RECIPE_MAX_LISTED);
    for (const struct rci_json_value *e = all->first; e; e = e->next) {
        RC_TRY(rci_json_expect(e, RC_JSON_STRING, key));
        list[(*n)++] = e->text;
    }
    return RC_OK;
}

static rc_status read_prune(struct rci_recipe_prune *p, const struct rci_json_value *v)
{
    static const char *const keys[] = {
        "step",      "macs",      "parameters", "ratio",     "round_to",   "min_channels",
        "retries",   "criterion", "allocation", "reduction", "normalizer", "repair",
        "max_bytes", "scope",     "scopes",     "ratios",    "keep",       "max_cut",
        "schedule",  "blocks",    NULL};
    p->retries = 2;
    RC_TRY(rci_json_only_keys(v, keys, "prune step"));
    RC_TRY(rci_json_read_number(v, "macs", 0.01, 1, &p->macs));
    RC_TRY(rci_json_read_number(v, "parameters", 0.01, 1, &p->parameters));
    RC_TRY(rci_json_read_number(v, "ratio", 0.01, 1, &p->ratio));
    RC_TRY(rci_json_read_integer(v, "round_to", 0, 1024, &p->round_to));
    RC_TRY(rci_json_read_integer(v, "min_channels", 0, 1 << 20, &p->min_channels));
    RC_TRY(rci_json_read_integer(v, "retries", 0, 8, &p->retries));
    RC_TRY(rci_json_read_text(v, "criterion", &p->criterion));
    RC_TRY(rci_json_read_text(v, "allocation", &p->allocation));
    RC_TRY(rci_json_read_text(v, "reduction", &p->reduction));
    RC_TRY(rci_json_read_text(v, "normalizer", &p->normalizer));
    RC_TRY(rci_json_read_text(v, "repair", &p->repair));
    RC_TRY(rci_json_read_text(v, "scope", &p->scope));
    RC_TRY(rci_json_read_text(v, "schedule", &p->schedule));
    RC_TRY(rci_json_read_bool(v, "blocks", &p->blocks));
    RC_TRY(rci_json_read_number(v, "max_cut", 0.001, 0.999, &p->max_cut));
    RC_TRY(rci_json_read_integer(v, "max_bytes", 1, INT64_MAX, &p->max_bytes));
    RC_TRY(read_texts(v, "scopes", p->scopes, &p->n_scopes));
    RC_TRY(read_texts(v, "ratios", p->ratios, &p->n_ratios));
    RC_TRY(read_texts(v, "keep", p->keep, &p->n_keep));
    /* no goal at all: the default recipe's */
    if (p->macs == 0 && p->parameters == 0 && p->ratio == 0 && !p->max_bytes && !p->n_ratios &&
        !p->n_scopes)
        p->macs = 0.6;
    return RC_OK;
}

static rc_status read_train(struct rci_recipe_train *t, const struct rci_json_value *v)
{
    static const char *const keys[] = {
        "step",        "epochs",       "batch",       "images", "replays",   "lr",
        "temperature", "alpha",        "ema",         "rate",   "optimizer", "augmentation",
        "distill",     "distill_loss", "loss",        "hints",  "sparsity",  "swa",
        "clip",        "accumulate",   "layer_rates", NULL};
    t->epochs = 5;
    t->lr = 0.01;
    t->augmentation = "crop+flip";
    t->distill = true;
    RC_TRY(rci_json_only_keys(v, keys, "train step"));
    RC_TRY(rci_json_read_integer(v, "epochs", 1, 100000, &t->epochs));
    RC_TRY(rci_json_read_integer(v, "batch", 0, 65536, &t->batch));
    RC_TRY(rci_json_read_integer(v, "images", 0, INT32_MAX, &t->images));
    RC_TRY(rci_json_read_integer(v, "replays", 0, 1024, &t->replays));
    RC_TRY(rci_json_read_number(v, "lr", 1e-9, 1000, &t->lr));
    RC_TRY(rci_json_read_number(v, "temperature", 0.1, 100, &t->temperature));
    RC_TRY(rci_json_read_number(v, "alpha", 1e-6, 1, &t->alpha));
    RC_TRY(rci_json_read_number(v, "ema", 0, 0.99999, &t->ema));
    RC_TRY(rci_json_read_number(v, "swa", 0, 0.999, &t->swa));
    RC_TRY(rci_json_read_number(v, "clip", 0, 1e9, &t->clip));
    RC_TRY(rci_json_read_integer(v, "accumulate", 0, 65536, &t->accumulate));
    RC_TRY(rci_json_read_text(v, "layer_rates", &t->layer_rates));
    RC_TRY(rci_json_read_text(v, "rate", &t->rate));
    RC_TRY(rci_json_read_text(v, "optimizer", &t->optimizer));
    RC_TRY(rci_json_read_text(v, "augmentation", &t->augmentation));
    RC_TRY(rci_json_read_text(v, "loss", &t->loss));
    RC_TRY(rci_json_read_text(v, "sparsity", &t->sparsity));
    RC_TRY(rci_json_read_text(v, "distill_loss", &t->distill_loss));
    RC_TRY(rci_json_read_bool(v, "distill", &t->distill));
    RC_TRY(read_texts(v, "hints", t->hints, &t->n_hints));
    if (t->n_hints && !t->distill)
        return rci_fail(RC_ERR_FORMAT, "recipe: \"hints\" is not used with \"distill\": false");
    if (t->distill ? t->loss != NULL : t->distill_loss != NULL)
        return rci_fail(RC_ERR_FORMAT, "recipe: \"%s\" is not used with \"distill\": %s",
                        t->distill ? "loss" : "distill_loss", t->distill ? "true" : "false");
    /* "" asks for none */
    if (!t->augmentation[0])
        t->augmentation = NULL;
    return RC_OK;
}

/* epochs > 0: training of the quantized graph (QAT) at rate lr. */
static rc_status read_quantize(struct rci_recipe_quantize *q, const struct rci_json_value *v)
{
    static const char *const keys[] = {
        "step",       "observer",     "images",      "epochs",
        "lr",         "reduce_range", "weight_bits", "activation_bits",
        "same_edges", "rounding",     "layers",      "skip",
        "qat",        "norm",         NULL};
    q->observer = "mse";
    q->lr = 0.0005;
    RC_TRY(rci_json_only_keys(v, keys, "quantize step"));
    RC_TRY(rci_json_read_text(v, "observer", &q->observer));
    RC_TRY(rci_json_read_integer(v, "images", 0, 1 << 24, &q->images));
    RC_TRY(rci_json_read_integer(v, "epochs", 0, 1000, &q->epochs));
    RC_TRY(rci_json_read_number(v, "lr", 1e-9, 10, &q->lr));
    RC_TRY(rci_json_read_integer(v, "weight_bits", 2, 8, &q->weight_bits));
    RC_TRY(rci_json_read_integer(v, "activation_bits", 2, 8, &q->activation_bits));
    RC_TRY(rci_json_read_text(v, "rounding", &q->rounding));
    RC_TRY(rci_json_read_text(v, "qat", &q->qat));
    RC_TRY(rci_json_read_text(v, "norm", &q->norm));
    RC_TRY(read_texts(v, "layers", q->layers, &q->n_layers));
    RC_TRY(read_texts(v, "skip", q->skip, &q->n_skip));
    RC_TRY(rci_json_read_bool(v, "same_edges", &q->same_edges));
    return rci_json_read_bool(v, "reduce_range", &q->reduce_range);
}

static rc_status read_fuse(const struct rci_json_value *v)
{
    static const char *const keys[] = {"step", NULL};
    return rci_json_only_keys(v, keys, "fuse step");
}

/* Kinds are numbered from 1 in the order of their names here. */
static rc_status parse_step(struct rci_recipe_step *s, const struct rci_json_value *v)
{
    const char *name = NULL;
    RC_TRY(rci_json_expect(v, RC_JSON_OBJECT, "a step"));
    RC_TRY(rci_json_read_text(v, "step", &name));
    if (!name)
        return rci_fail(RC_ERR_FORMAT, "recipe: a step has no \"step\"");
    static const char *const names[] = {"fuse", "prune", "train", "quantize"};
    for (int k = 0; k < 4; k++)
        if (!strcmp(name, names[k]))
            s->kind = (enum rci_recipe_kind)(RC_RECIPE_FUSE + k);
    switch (s->kind) {
    case RC_RECIPE_FUSE:
        return read_fuse(v);
    case RC_RECIPE_PRUNE:
        return read_prune(&s->prune, v);
    case RC_RECIPE_TRAIN:
        return read_train(&s->train, v);
    case RC_RECIPE_QUANTIZE:
        return read_quantize(&s->quantize, v);
    }
    return rci_fail(RC_ERR_FORMAT,
                    "recipe: step \"%s\" is unknown, allowed are fuse, prune, train and quantize",
                    name);
}

static rc_status read_steps(struct rci_recipe *r, const struct rci_json_value *root)
{
    static const char *const keys[] = {"schema", "name", "steps", NULL};
    int64_t schema = 1;
    RC_TRY(rci_json_expect(root, RC_JSON_OBJECT, "a recipe"));
    RC_TRY(rci_json_only_keys(root, keys, "recipe"));
    RC_TRY(rci_json_read_integer(root, "schema", 1, 1, &schema));
    const struct rci_json_value *steps = rci_json_get(root, "steps");
    if (!steps)
        return rci_fail(RC_ERR_FORMAT, "recipe: no \"steps\"");
    RC_TRY(rci_json_expect(steps, RC_JSON_ARRAY, "steps"));
    if (!steps->count || steps->count > RC_RECIPE_MAX_STEPS)
        return rci_fail(RC_ERR_FORMAT, "recipe: %u steps, allowed are 1 to %d", steps->count,
                        RC_RECIPE_MAX_STEPS);
    for (const struct rci_json_value *v = steps->first; v; v = v->next)
        RC_TRY(parse_step(&r->step[r->n++], v));
    /* integers can be neither pruned nor trained as floats */
    for (uint32_t i = 0; i + 1 < r->n; i++)
        if (r->step[i].kind == RC_RECIPE_QUANTIZE)
            return rci_fail(RC_ERR_FORMAT, "recipe: \"quantize\" must be the last step");
    return RC_OK;
}

/* Of the text as it is: another layout of the same recipe starts anew. */
static uint64_t hash_text(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char) *s) * UINT64_C(1099511628211);
    return h;
}

rc_status rci_recipe_parse(struct rci_recipe *r, struct rc_context *c, const char *text)
{
    memset(r, 0, sizeof(*r));
    r->hash = hash_text(text);
    RC_TRY(rci_json_parse(&r->json, c, text, strlen(text), "recipe"));
    const rc_status st = read_steps(r, rci_json_root(r->json));
    if (st != RC_OK)
        rci_recipe_clear(r);
    return st;
}

void rci_recipe_clear(struct rci_recipe *r)
{
    rci_json_free(&r->json);
    r->n = 0;
}

/* A prune step and the train steps behind it are judged together: pruning alone always loses. */
uint32_t rci_recipe_stages(const struct rci_recipe *r, struct rci_stage stage[RC_RECIPE_MAX_STEPS])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n;) {
        uint32_t end = i + 1;
        while (r->step[i].kind == RC_RECIPE_PRUNE && end < r->n &&
               r->step[end].kind == RC_RECIPE_TRAIN)
            end++;
        stage[n++] = (struct rci_stage){i, end - i};
        i = end;
    }
    return n;
}
