/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <elf.h>
#include <glib.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "hw/qemu/symbols.h"

/* What the relocations of this module are made against. */
struct symbols_dyn {
    const ElfW(Sym) *sym;
    const char *str;
    const char *rel[2];
    size_t rel_size[2], rel_ent[2];
    bool is_rela[2];
};

static const void *symbols_ptr(ElfW(Addr) base, ElfW(Addr) ptr)
{
    /* glibc relocates the pointers of the dynamic section, musl does not. */
    return (const void *)(ptr < base ? base + ptr : ptr);
}

static void symbols_parse(struct symbols_dyn *d, ElfW(Addr) base,
                          const ElfW(Dyn) *dyn)
{
    for (; dyn->d_tag != DT_NULL; dyn++) {
        switch (dyn->d_tag) {
        case DT_SYMTAB:
            d->sym = symbols_ptr(base, dyn->d_un.d_ptr);
            break;
        case DT_STRTAB:
            d->str = symbols_ptr(base, dyn->d_un.d_ptr);
            break;
        case DT_JMPREL:
            d->rel[0] = symbols_ptr(base, dyn->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            d->rel_size[0] = dyn->d_un.d_val;
            break;
        case DT_PLTREL:
            d->is_rela[0] = dyn->d_un.d_val == DT_RELA;
            break;
        case DT_RELA:
        case DT_REL:
            d->rel[1] = symbols_ptr(base, dyn->d_un.d_ptr);
            d->is_rela[1] = dyn->d_tag == DT_RELA;
            break;
        case DT_RELASZ:
        case DT_RELSZ:
            d->rel_size[1] = dyn->d_un.d_val;
            break;
        default:
            break;
        }
    }
    for (int i = 0; i < 2; i++) {
        d->rel_ent[i] = d->is_rela[i] ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
    }
}

static const char *symbols_check(const struct symbols_dyn *d,
                                 const char *rel)
{
    /* Rel and Rela begin alike. */
    const ElfW(Rel) *r = (const ElfW(Rel) *)rel;
    size_t index = sizeof(void *) == 8 ? ELF64_R_SYM(r->r_info)
                                       : ELF32_R_SYM(r->r_info);
    const ElfW(Sym) *sym = &d->sym[index];
    const char *name = d->str + sym->st_name;

    if (!index || sym->st_shndx != SHN_UNDEF) {
        return NULL;
    }
    /* The compiler's and the C library's optional ones begin with '_'. */
    if (name[0] == '_' || dlsym(RTLD_DEFAULT, name)) {
        return NULL;
    }
    return name;
}

const char *envme_symbols_missing(void)
{
    struct symbols_dyn d = { 0 };
    struct link_map *map;
    Dl_info info;

    if (!dladdr1((void *)envme_symbols_missing, &info, (void **)&map,
                 RTLD_DL_LINKMAP)) {
        return NULL;
    }
    symbols_parse(&d, map->l_addr, map->l_ld);
    if (!d.sym || !d.str) {
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        for (size_t off = 0; d.rel[i] && off < d.rel_size[i];
             off += d.rel_ent[i]) {
            const char *name = symbols_check(&d, d.rel[i] + off);

            if (name) {
                return name;
            }
        }
    }
    return NULL;
}
