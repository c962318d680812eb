// Makes a bundle from a manifest: pack [--arch rv64|rv32] [--terminal FOLDER] MANIFEST -o BUNDLE
// Or tells what its first capsule is, for who boots that without the hypervisor: pack --first MANIFEST
// With --terminal, which says where the supervisor and its programs are, the bundle gets a capsule that keeps the
// machine's terminal.
//
// Exit status: 0, or 1 if something in the manifest is wrong, or 2 if the command line is. A bundle
// is written whole or not at all.

#include "fit.h"
#include "terminal.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What a capsule's guest tree and the alignment of tree and initrd take beside the images.
#define CAPSULE_OVERHEAD ((uint64_t)8 << 20)
#define MIB ((uint64_t)1 << 20)

struct arguments {
    const struct width *width;
    const char *manifest;
    const char *output;
    const char *terminal;
    bool first;
};

_Noreturn static void usage(void)
{
    fputs("usage: pack [--arch rv64|rv32] [--terminal FOLDER] MANIFEST -o BUNDLE\n"
          "       pack [--arch rv64|rv32] --first MANIFEST\n",
          stderr);
    exit(2);
}

static struct arguments arguments_parse(int argc, char **argv)
{
    static const struct option options[] = {{"arch", required_argument, NULL, 'a'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"terminal", required_argument, NULL, 't'},
                                            {"first", no_argument, NULL, 'f'},
                                            {0}};
    struct arguments arguments = {.width = width_find("rv64")};
    int option;
    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (option == 'a')
            arguments.width = width_find(optarg);
        else if (option == 'o')
            arguments.output = optarg;
        else if (option == 't')
            arguments.terminal = optarg;
        else if (option == 'f')
            arguments.first = true;
        else
            usage();
    }
    if (!arguments.width || arguments.first == !!arguments.output || optind != argc - 1)
        usage();
    arguments.manifest = argv[optind];
    return arguments;
}

// The machine would refuse it too, but here the line is known.
static void memory_check(const struct fit_capsule *capsule)
{
    uint64_t initrd = capsule->initrd ? capsule->initrd->size : 0;
    uint64_t needed = capsule->kernel->span + initrd + CAPSULE_OVERHEAD;
    const struct number *memory = &capsule->manifest->memory;
    if (memory->value && memory->value < needed)
        report_error(memory->place, "memory of %lluM is too little for this kernel and initrd: give it %lluM or more",
                     (unsigned long long)(memory->value / MIB), (unsigned long long)(needed / MIB + 1));
}

static void capsule_load(const struct manifest_capsule *manifest, const struct width *width, struct image_set *set,
                         struct fit_capsule *capsule)
{
    capsule->manifest = manifest;
    if (manifest->kernel.value)
        capsule->kernel = image_get(set, IMAGE_KERNEL, &manifest->kernel, width);
    if (manifest->initrd.value)
        capsule->initrd = image_get(set, IMAGE_RAMDISK, &manifest->initrd, width);
    for (size_t i = 0; i < manifest->devices.count; i++)
        if (manifest->devices.items[i].disk.value)
            capsule->disks[i] = image_get(set, IMAGE_DISK, &manifest->devices.items[i].disk, width);
    if (capsule->kernel)
        memory_check(capsule);
}

// Whether both paths lead to one file that is there.
static bool same_file(const char *one, const struct stat *other)
{
    struct stat status;
    return one && !stat(one, &status) && status.st_dev == other->st_dev && status.st_ino == other->st_ino;
}

static bool has_disk(const struct devices *devices, const struct stat *other)
{
    bool found = false;
    for (size_t i = 0; i < devices->count; i++)
        found = found || same_file(devices->items[i].disk.value, other);
    return found;
}

// A slip of the hand must not cost anybody their manifest or kernel, nor a device such as /dev/null.
static void output_check(const struct arguments *arguments, const struct manifest *manifest)
{
    struct place place = {arguments->output, 0};
    struct stat status;
    if (stat(arguments->output, &status))
        return;
    if (!S_ISREG(status.st_mode))
        report_fatal(place, "can't be written: is no file");
    bool is_input = same_file(arguments->manifest, &status);
    for (size_t i = 0; i < manifest->count; i++)
        is_input = is_input || same_file(manifest->capsules[i].kernel.value, &status) ||
                   same_file(manifest->capsules[i].initrd.value, &status) ||
                   has_disk(&manifest->capsules[i].devices, &status);
    if (is_input)
        report_fatal(place, "can't be written: the bundle is made from it");
}

// To a temporary name beside it first.
static void bundle_write(const char *path, const void *data, size_t size)
{
    struct place place = {path, 0};
    char *temporary;
    if (asprintf(&temporary, "%s.%ld.new", path, (long)getpid()) < 0)
        report_fatal(place, "out of memory");
    FILE *file = fopen(temporary, "wb");
    if (!file)
        report_fatal(place, "can't be written: %s", strerror(errno));
    bool done = fwrite(data, 1, size, file) == size;
    if (fclose(file) || !done || rename(temporary, path)) {
        int error = errno;
        unlink(temporary);
        report_fatal(place, "can't be written: %s", strerror(error));
    }
    free(temporary);
}

// A line for each, the key in front of the value.
static void first_print(const struct manifest_capsule *capsule)
{
    printf("kernel %s\nmemory %llu\nvcores %llu\n", capsule->kernel.value, (unsigned long long)capsule->memory.value,
           (unsigned long long)capsule->vcores.value);
    if (capsule->initrd.value)
        printf("initrd %s\n", capsule->initrd.value);
    if (capsule->cmdline.value)
        printf("cmdline %s\n", capsule->cmdline.value);
}

int main(int argc, char **argv)
{
    static struct manifest manifest;
    static struct image_set images;
    static struct fit_capsule capsules[MANIFEST_CAPSULES_MAX];
    struct arguments arguments = arguments_parse(argc, argv);

    manifest_read(arguments.manifest, arguments.width, &manifest);
    terminal_complete(&manifest, arguments.terminal);
    // The other capsules' files need not be there.
    size_t loaded = arguments.first ? 1 : manifest.count;
    for (size_t i = 0; i < loaded; i++)
        capsule_load(&manifest.capsules[i], arguments.width, &images, &capsules[i]);
    if (report_count())
        return 1;
    if (arguments.first) {
        first_print(&manifest.capsules[0]);
        return 0;
    }
    output_check(&arguments, &manifest);

    size_t size;
    struct fit fit = {&images, &manifest.switches, &manifest.terminal, arguments.width, capsules, manifest.count};
    void *bundle = fit_build(&fit, &size);
    bundle_write(arguments.output, bundle, size);
    free(bundle);
    return 0;
}
