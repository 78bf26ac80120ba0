/* bundle.c - building a bundle from its manifest and files. */
#include "model/bundle.h"

#include "model/manifest_values.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* What a bundle may hold in memory beside its models: files, strings, examples. */
enum { ARENA_BYTES_MAX = 2 * BUNDLE_BYTES_MAX };

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a bundle");
}

/* ---- files ---- */

static int compare_files(const void *a, const void *b)
{
    const struct bundle_file *left = a, *right = b;

    return strcmp(left->name.at, right->name.at);
}

static enum status copy_text(struct arena *arena, struct text text, struct text *copy,
                             struct err *err)
{
    copy->at = arena_copy(arena, text);
    copy->bytes = text.bytes;
    return copy->at ? STATUS_OK : no_memory(err);
}

static enum status copy_files(struct bundle *bundle, struct text manifest,
                              const struct bundle_file *files, int file_count,
                              struct err *err)
{
    size_t bytes = manifest.bytes;
    enum status rc;

    if (manifest.bytes > BUNDLE_MANIFEST_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "manifest.json: is over %d bytes",
                       BUNDLE_MANIFEST_BYTES_MAX);
    if (file_count > BUNDLE_FILE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "files: more than %d",
                       BUNDLE_FILE_COUNT_MAX);
    for (int i = 0; i < file_count; i++)
        if (__builtin_add_overflow(bytes, files[i].content.bytes, &bytes) ||
            bytes > BUNDLE_BYTES_MAX)
            return err_set(err, STATUS_TOO_LARGE, "files: are over %d bytes",
                           BUNDLE_BYTES_MAX);
    bundle->files =
        arena_array(&bundle->arena, struct bundle_file, (size_t)file_count + 1);
    if (!bundle->files)
        return no_memory(err);
    rc = copy_text(&bundle->arena, manifest, &bundle->manifest, err);
    for (int i = 0; i < file_count && !rc; i++) {
        if (files[i].name.bytes && memchr(files[i].name.at, 0, files[i].name.bytes))
            return err_set(err, STATUS_INVALID, "files: a name holds a NUL");
        rc = copy_text(&bundle->arena, files[i].name, &bundle->files[i].name, err);
        if (!rc)
            rc = copy_text(&bundle->arena, files[i].content, &bundle->files[i].content,
                           err);
    }
    if (rc)
        return rc;
    bundle->file_count = file_count;
    qsort(bundle->files, (size_t)file_count, sizeof *bundle->files, compare_files);
    for (int i = 1; i < file_count; i++)
        if (text_equal(bundle->files[i - 1].name, bundle->files[i].name))
            return err_set(err, STATUS_INVALID, "files: '%.80s' is given twice",
                           bundle->files[i].name.at);
    return STATUS_OK;
}

static void hash_file(crypto_hash_sha256_state *state, struct text name,
                      struct text content)
{
    char length[24];
    int bytes = snprintf(length, sizeof length, "%zu", content.bytes);

    crypto_hash_sha256_update(state, (const unsigned char *)name.at, name.bytes);
    crypto_hash_sha256_update(state, (const unsigned char *)"", 1);
    crypto_hash_sha256_update(state, (const unsigned char *)length, (size_t)bytes + 1);
    crypto_hash_sha256_update(state, (const unsigned char *)content.at, content.bytes);
}

static void hash_files(struct bundle *bundle)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;

    static_assert(sizeof bundle->sha256 == 2 * sizeof hash + 1);
    crypto_hash_sha256_init(&state);
    hash_file(&state, text_of("manifest.json"), bundle->manifest);
    for (int i = 0; i < bundle->file_count; i++)
        hash_file(&state, bundle->files[i].name, bundle->files[i].content);
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(bundle->sha256, sizeof bundle->sha256, hash, sizeof hash);
}

/* ---- models ---- */

static int find_model(const struct bundle *bundle, const char *file)
{
    for (int i = 0; i < bundle->model_count; i++)
        if (strcmp(bundle->models[i].file, file) == 0)
            return i;
    return -1;
}

static const struct bundle_file *find_file(const struct bundle *bundle, const char *name)
{
    for (int i = 0; i < bundle->file_count; i++)
        if (strcmp(bundle->files[i].name.at, name) == 0)
            return &bundle->files[i];
    return NULL;
}

/* Read the model of a component, unless an earlier one has. */
static void read_model(struct manifest *manifest, int component)
{
    struct bundle *bundle = manifest->bundle;
    const char *name = manifest->components[component].file;
    const struct bundle_file *file = find_file(bundle, name);
    char pointer[POINTER_BYTES];
    struct bundle_model model = {.file = name};
    struct err err;
    enum status rc;

    pointer_of(pointer, "/components/%d/file", component);
    bundle->components[component].model = find_model(bundle, name);
    if (bundle->components[component].model >= 0)
        return;
    if (!file) {
        manifest_fault(manifest, "missing_file", pointer, "'%.80s' is not there", name);
        return;
    }
    err_clear(&err);
    rc = model_read(file->content.at, file->content.bytes, &model, &err);
    if (rc == STATUS_EXHAUSTED) {
        manifest_no_memory(manifest);
        return;
    }
    if (rc) {
        manifest_fault(manifest, "bad_model", pointer, "%.60s: %.130s", name, err.text);
        return;
    }
    bundle->components[component].model = bundle->model_count;
    bundle->models[bundle->model_count++] = model;
}

/* The i-th input of the models that have the treatment appended. */
static const char *input_name(const struct bundle *bundle, int i)
{
    return i < bundle->feature_count ? bundle->features[i].name : bundle->treatment_name;
}

static void check_inputs(struct manifest *manifest, int component)
{
    const struct bundle *bundle = manifest->bundle;
    const struct bundle_model *model =
        &bundle->models[bundle->components[component].model];
    int inputs =
        model->forest ? model->forest->feature_count : model->linear->feature_count;
    char *const *names =
        model->forest ? model->forest->feature_names : model->linear->feature_names;
    bool is_appended = bundle->treatment_feature == bundle->feature_count;
    bool is_outcome = bundle->components[component].role == ROLE_OUTCOME;
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/components/%d/file", component);
    if (inputs != bundle->feature_count + (is_appended && is_outcome) &&
        inputs != bundle->feature_count + is_appended) {
        manifest_fault(manifest, "wrong_features", pointer,
                       "%.60s has %d inputs, the manifest %d features", model->file,
                       inputs, bundle->feature_count + (is_appended && is_outcome));
        return;
    }
    if (is_appended && is_outcome && inputs == bundle->feature_count)
        return;
    for (int i = 0; names && i < inputs; i++) {
        if (strcmp(names[i], input_name(bundle, i)) == 0)
            continue;
        manifest_fault(manifest, "wrong_features", pointer,
                       "%.40s: input %d is '%.50s', the manifest has '%.50s'",
                       model->file, i, names[i], input_name(bundle, i));
        return;
    }
}

static void settle_output(struct manifest *manifest, int index)
{
    struct bundle_component *component = &manifest->bundle->components[index];
    const struct bundle_model *model = &manifest->bundle->models[component->model];
    int outputs =
        model->forest ? model->forest->group_count : model->linear->output_count;
    char pointer[POINTER_BYTES];

    if (manifest->components[index].has_own_link)
        component->link = model->forest ? model->forest->link : model->linear->link;
    if (component->link == LINK_ARGMAX)
        outputs = 1;
    pointer_of(pointer, "/components/%d/output", index);
    if (component->output >= outputs)
        manifest_fault(manifest, "bad_value", pointer, "%.60s has %d outputs",
                       model->file, outputs);
}

/* A file that no component reads was meant for something. */
static void check_unused(struct manifest *manifest)
{
    const struct bundle *bundle = manifest->bundle;
    char pointer[POINTER_BYTES];

    for (int i = 0; i < bundle->file_count; i++) {
        pointer_of(pointer, "/files/%s", bundle->files[i].name.at);
        if (find_model(bundle, bundle->files[i].name.at) < 0)
            manifest_fault(manifest, "unused_file", pointer, "no component reads it");
    }
}

static enum status read_models(struct manifest *manifest)
{
    struct bundle *bundle = manifest->bundle;

    bundle->models =
        arena_array(&bundle->arena, struct bundle_model, (size_t)bundle->component_count);
    if (!bundle->models)
        return no_memory(manifest->err);
    for (int i = 0; i < bundle->component_count; i++) {
        read_model(manifest, i);
        if (bundle->components[i].model < 0)
            continue;
        check_inputs(manifest, i);
        settle_output(manifest, i);
    }
    if (!manifest->status)
        check_unused(manifest);
    return manifest->status;
}

static enum status read_manifest(struct bundle *bundle, struct err *err)
{
    struct manifest manifest;
    enum status rc = manifest_open(&manifest, bundle, err);

    if (!rc)
        rc = manifest_read(&manifest);
    if (!rc)
        rc = read_models(&manifest);
    if (!rc)
        rc = manifest_read_examples(&manifest);
    manifest_close(&manifest);
    return rc;
}

/* A file ends with a line feed, a member of a JSON text does not: both are the same
 * manifest. */
static struct text without_space(struct text text)
{
    static const char space[] = " \t\r\n";

    while (text.bytes > 0 && strchr(space, text.at[0]) && text.at[0])
        text = (struct text){text.at + 1, text.bytes - 1};
    while (text.bytes > 0 && strchr(space, text.at[text.bytes - 1]) &&
           text.at[text.bytes - 1])
        text.bytes--;
    return text;
}

enum status bundle_read_parts(struct text manifest, const struct bundle_file *files,
                              int file_count, struct bundle **bundle, struct err *err)
{
    struct bundle *built = calloc(1, sizeof *built);
    struct err unheard;
    enum status rc;

    err = err ? err : &unheard;
    err_clear(err);
    if (!built)
        return no_memory(err);
    arena_init(&built->arena, NULL, 0, ARENA_BYTES_MAX);
    rc = copy_files(built, without_space(manifest), files, file_count, err);
    if (!rc)
        hash_files(built);
    if (!rc)
        rc = read_manifest(built, err);
    if (rc)
        bundle_free(built);
    else
        *bundle = built;
    return rc;
}

void bundle_free(struct bundle *bundle)
{
    if (!bundle)
        return;
    for (int i = 0; i < bundle->model_count; i++)
        model_release(&bundle->models[i]);
    arena_reset(&bundle->arena);
    free(bundle);
}
