/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: putting a controller together and taking it apart, registers,
 * life cycle, and the checks that hold whenever the controller is at rest.
 */
#include "th-int.h"

#include "hw/ns/roster.h"

static void host_default_params(struct envme_ctrl_params *p)
{
    *p = (struct envme_ctrl_params){
        .serial = "HOST0001", .model = "envme on the fake host",
        .firmware = "1.0", .vid = 0x1234, .ssvid = 0x5678,
        .ieee = { 0x01, 0x02, 0x03 },
        .mapped_rate = ENVME_MAPPED_RATE,
        .mdts = 7, .vsl = 7, .mqes = 65535, .max_ioqpairs = 64,
        .mpsmax = 4, .to = 15, .aerl = 3, .aer_max_queued = 64,
        .acl = 3, .elpe = 15, .nvectors = 65, .lane_cmds = 1024,
        .fw_slots = 3, .fwug = 1,
    };
}

static const struct envme_tables *host_tables(const struct th *h)
{
    return h->opts.tables ? h->opts.tables : &envme_tables;
}

static const struct envme_iocs *host_iocs(const struct th *h, uint8_t csi)
{
    const struct envme_tables *t = host_tables(h);
    unsigned i;

    for (i = 0; i < t->niocs; i++) {
        if (t->iocs[i]->csi == csi) {
            return t->iocs[i];
        }
    }
    g_error("no such command set");
}

/* A sentence in a log: no control characters, not empty, and it ends. */
static void host_say(void *opaque, const char *text)
{
    struct th *h = opaque;

    g_assert(text[0] && !strchr(text, '\n') && strlen(text) < 256);
    atomic_fetch_add_explicit(&h->notes, 1, memory_order_relaxed);
}

static void host_be_changed(struct envme_backend *be, void *opaque)
{
    struct envme_ns *ns = opaque;

    (void)be;
    if (ns->subsys) {
        envme_subsys_ns_resized(ns->subsys, ns);
    }
}

static void *host_here(void *opaque)
{
    (void)opaque;
    return GINT_TO_POINTER(th_lane_now);
}

static void host_go(void *opaque, void *where, void (*fn)(void *), void *arg)
{
    struct th *h = opaque;

    h->ports.exec.defer(h->ports.exec.opaque, GPOINTER_TO_INT(where), fn, arg);
}

static void host_add_ns(struct th *h, const struct th_ns_opts *o)
{
    struct envme_ns_params p = {
        .nsid = o->nsid, .csi = o->csi, .shared = !o->priv,
        .detached = o->detached, .logical_block = o->lbs ? o->lbs : 512,
        .ms = o->ms, .mset = o->mset, .pi = o->pi, .pil = o->pil,
        .pif = o->pif, .pi_sts = o->pi_sts, .nawun = o->nawun,
        .nabsn = o->nabsn, .nabo = o->nabo, .nawupf = o->nawupf,
        .nabspf = o->nabspf,
        .mssrl = 128, .mcl = 128, .msrc = 127,
        .write_cache = o->write_cache || o->vwc, .eui64 = 0x0011223344556600ull + h->nns,
    };
    const struct envme_vwc_exec exec = { h, host_here, host_go };
    struct th_be *be = th_be_new(h, o);
    struct envme_backend *top = o->vwc ? envme_vwc_new(&be->be, o->vwc, &exec)
                                       : &be->be;
    struct envme_ns *ns;
    char *err = NULL;

    memset(p.uuid, 0x40 + h->nns, sizeof(p.uuid));
    memset(p.nguid, 0x80 + h->nns, sizeof(p.nguid));
    if (o->nguid_auto) {
        memset(p.uuid, 0, sizeof(p.uuid));
        p.eui64 = 0;
        p.nguid_auto = true;
        for (unsigned i = 0; i < sizeof(p.nguid); i++) {
            p.nguid[i] = g_random_int();
        }
    }
    ns = envme_ns_new(&p, top, &err);
    if (!ns) {
        g_error("namespace: %s", err);
    }
    ns->iocs = host_iocs(h, o->csi);
    top->changed = host_be_changed;
    top->changed_opaque = ns;
    h->be[h->nns] = be;
    h->vwc[h->nns] = o->vwc ? top : NULL;
    h->ns[h->nns] = ns;
    h->nns++;
    if (!envme_subsys_add_ns(h->subsys, ns, &err)) {
        g_error("namespace: %s", err);
    }
}

static struct envme_state *host_open_state(struct th *h)
{
    struct envme_state_opts o = {
        .ops = h->opts.state_ops, .is_inline = !h->opts.threads,
    };
    struct envme_state *s = NULL;
    char *err = NULL;

    if (h->opts.state) {
        s = envme_state_open(h->opts.state, h->subsys->nqn, &o, &err);
        if (!s) {
            g_error("%s", err);
        }
    }
    return s;
}

static void host_later(void *opaque, void (*fn)(void *arg), void *arg)
{
    const struct envme_exec *exec = &((struct th *)opaque)->ports.exec;

    exec->defer(exec->opaque, 0, fn, arg);
}

struct th *th_new_(const struct th_opts *opts)
{
    struct th *h = g_new0(struct th, 1);
    char *err = NULL;
    unsigned i;

    h->opts = *opts;
    h->rand = g_rand_new_with_seed(opts->seed ? opts->seed : 1);
    h->page = 4096;
    h->bme = true;
    h->next = h;
    host_default_params(&h->params);
    if (opts->tweak) {
        opts->tweak(&h->params);
    }
    th_mem_init(h);
    th_exec_init(h);
    th_db_init(h);
    th_drv_init(h);
    if (opts->peer) {
        g_assert(!opts->threads && !opts->peer->opts.threads);
        h->subsys = opts->peer->subsys;
        h->next = opts->peer->next;
        opts->peer->next = h;
    } else {
        h->subsys = envme_subsys_new("nqn.2019-08.org.example:host",
                                     opts->nn ? opts->nn : 16, !opts->multi);
        h->owns_subsys = true;
        h->subsys->later = host_later;
        h->subsys->later_opaque = h;
        h->subsys->state = host_open_state(h);
        if (!envme_roster_open(h->subsys, &err)) {
            g_error("%s", err);
        }
    }
    h->ports.note = (struct envme_note){ .opaque = h, .say = host_say };
    h->ctrl = envme_ctrl_new(&h->params, h->subsys, &h->ports,
                             host_tables(h), &err);
    if (!h->ctrl) {
        g_error("controller: %s", err);
    }
    /* As PCI has it: off, until a driver turns it on. */
    g_assert_false(atomic_load(&h->ctrl->bme));
    envme_ctrl_set_bme(h->ctrl, true);
    if (!opts->peer && !opts->no_ns) {
        for (i = 0; i < TH_MAX_NS; i++) {
            if (opts->ns[i].size) {
                host_add_ns(h, &opts->ns[i]);
            }
        }
        if (!h->nns) {
            host_add_ns(h, &(struct th_ns_opts){ .size = 1 * MIB });
        }
    }
    th_exec_start(h);
    th_run(h);
    th_close(h, "before the controller was ever enabled");
    return h;
}

static void host_set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static bool host_flag(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

void th_free(struct th *h)
{
    atomic_bool gone;
    struct th *w;
    unsigned i;

    th_fail_clear(h);
    for (i = 0; i < h->nns; i++) {
        h->be[i]->hold = false;
        th_be_release_all(h->be[i], 0);
    }
    if (!h->bme) {
        th_bme(h, true);
    }
    th_reset(h, ENVME_RESET_FUNCTION);
    if (h->owns_subsys && h->next != h) {
        g_error("free the peers first");
    }
    envme_ctrl_leave(h->ctrl);
    th_run(h);
    th_exec_stop(h);
    g_assert_cmpuint(atomic_load(&h->ctrl->mapped.state), ==,
                     ENVME_MAPPED_OFF);
    envme_ctrl_free(h->ctrl);
    th_db_fini(h);
    for (i = 0; i < h->nns; i++) {
        gone = false;
        envme_subsys_remove_ns(h->subsys, h->ns[i], host_set_flag, &gone);
        g_assert(gone);
        g_assert_cmpuint(h->be[i]->nbios, ==, 0);
        envme_ns_free(h->ns[i]);
        if (h->vwc[i]) {
            h->vwc[i]->ops->close(h->vwc[i]);
        } else {
            h->be[i]->be.ops->close(&h->be[i]->be);
        }
    }
    if (h->owns_subsys) {
        envme_state_close(h->subsys->state);
        envme_subsys_free(h->subsys);
    }
    for (w = h; w->next != h; w = w->next) {
    }
    w->next = h->next;
    if (th_alloc_host == h) {
        th_alloc_host = NULL;
    }
    th_drv_fini(h);
    th_exec_fini(h);
    th_mem_fini(h);
    g_rand_free(h->rand);
    g_free(h);
}

void th_close(struct th *h, const char *why)
{
    atomic_store(&h->closed, why);
}

void th_fail_nth(struct th *h, enum th_at at, unsigned n, int err)
{
    g_assert(n > 0 && err < 0);
    atomic_store(&h->fail_err[at], err);
    atomic_store(&h->failed[at], 0);
    atomic_store(&h->fail_at[at], atomic_load(&h->calls[at]) + n);
    if (at == TH_AT_ALLOC) {
        th_alloc_host = h;
    }
}

void th_fail_clear(struct th *h)
{
    unsigned i;

    for (i = 0; i < TH_AT_MAX; i++) {
        atomic_store(&h->fail_at[i], 0);
    }
}

/* ---- registers --------------------------------------------------------- */

uint32_t th_r32(struct th *h, uint64_t off)
{
    return envme_ctrl_reg_read(h->ctrl, off, 4);
}

uint64_t th_r64(struct th *h, uint64_t off)
{
    return envme_ctrl_reg_read(h->ctrl, off, 8);
}

void th_w32(struct th *h, uint64_t off, uint32_t v)
{
    envme_ctrl_reg_write(h->ctrl, off, v, 4);
}

void th_w64(struct th *h, uint64_t off, uint64_t v)
{
    envme_ctrl_reg_write(h->ctrl, off, v, 8);
}

/* The host's half of the event index dance: Base 2.1, 8.2.5. */
static bool host_shadow_db(struct th *h, uint64_t off, uint32_t value)
{
    uint32_t *db = th_mem(h, h->shadow_db + off, 4);
    uint32_t *ei = th_mem(h, h->shadow_ei + off, 4);
    uint16_t old = __atomic_load_n(db, __ATOMIC_RELAXED), event;

    __atomic_store_n(db, value, __ATOMIC_SEQ_CST);
    event = __atomic_load_n(ei, __ATOMIC_SEQ_CST);
    return (uint16_t)(value - event - 1) < (uint16_t)(value - old);
}

void th_db(struct th *h, bool cq, uint32_t qid, uint32_t value)
{
    uint64_t off = (2ull * qid + cq) * (4ull << h->params.dstrd);

    if (qid && atomic_load(&h->shadow) && !host_shadow_db(h, off, value)) {
        atomic_fetch_add_explicit(&h->unrung, 1, memory_order_relaxed);
        return;
    }
    th_db_raw(h, cq, qid, value);
}

void th_db_raw(struct th *h, bool cq, uint32_t qid, uint32_t value)
{
    uint64_t off = (2ull * qid + cq) * (4ull << h->params.dstrd);

    atomic_fetch_add_explicit(&h->rings, 1, memory_order_relaxed);
    th_db_write(h, off, value);
}

/* ---- life -------------------------------------------------------------- */

static bool host_ready_or_failed(void *arg)
{
    return th_r32(arg, ENVME_REG_CSTS) & (ENVME_CSTS_RDY | ENVME_CSTS_CFS);
}

static bool host_not_ready(void *arg)
{
    return !(th_r32(arg, ENVME_REG_CSTS) & ENVME_CSTS_RDY);
}

bool th_enable_as(struct th *h, uint32_t cc, uint32_t asqs, uint32_t acqs)
{
    struct th_cq *cq = g_new0(struct th_cq, 1);
    struct th_sq *sq = g_new0(struct th_sq, 1);

    g_assert(!h->sq[0] && !h->cq[0]);
    h->page = 4096u << FIELD_GET(ENVME_CC_MPS, cc);
    if (h->page > 65536) {
        h->page = 4096;         /* it will be refused */
    }
    *cq = (struct th_cq){ .size = acqs, .phase = true, .live = true,
                          .base = h->own_admin ? th_own(h, acqs * 16)
                                               : th_alloc(h, acqs * 16) };
    *sq = (struct th_sq){ .size = asqs, .live = true,
                          .base = h->own_admin ? th_own(h, asqs * 64)
                                               : th_alloc(h, asqs * 64) };
    sq->cmds = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    h->cq[0] = cq;
    h->sq[0] = sq;
    th_w32(h, ENVME_REG_AQA, (acqs - 1) << 16 | (asqs - 1));
    th_w64(h, ENVME_REG_ASQ, sq->base);
    th_w64(h, ENVME_REG_ACQ, cq->base);
    th_close(h, NULL);
    th_w32(h, ENVME_REG_CC, cc);
    if (!th_until(h, host_ready_or_failed, h)) {
        return false;
    }
    return th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_RDY &&
           !(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS);
}

void th_enable(struct th *h)
{
    if (!th_enable_as(h, TH_CC_DEFAULT, 64, 64)) {
        g_error("the controller does not become ready: CSTS %08x",
                th_r32(h, ENVME_REG_CSTS));
    }
}

void th_check_at_rest(struct th *h, const char *when)
{
    if (atomic_load(&h->maps)) {
        g_error("%u maps are left %s", atomic_load(&h->maps), when);
    }
    if (atomic_load(&h->map_sum)) {
        g_error("maps and unmaps do not match %s", when);
    }
    if (!envme_ctrl_idle(h->ctrl)) {
        g_error("the controller is not idle %s", when);
    }
}

void th_disable(struct th *h)
{
    th_w32(h, ENVME_REG_CC, th_r32(h, ENVME_REG_CC) & ~ENVME_CC_EN);
    if (!th_until(h, host_not_ready, h)) {
        g_error("CSTS.RDY stays set after CC.EN was cleared");
    }
    th_check_at_rest(h, "after CC.EN was cleared");
    th_close(h, "after CC.EN was cleared");
    th_forget(h);
}

static void host_reset_done(void *arg)
{
    struct th *h = arg;

    if (atomic_load(&h->reset_done)) {
        g_error("done of a reset is called twice");
    }
    th_check_at_rest(h, "when a reset was done");
    th_close(h, "after a reset was done");
    atomic_store(&h->reset_done, true);
}

void th_reset_start(struct th *h, enum envme_reset kind)
{
    atomic_store(&h->reset_done, false);
    envme_ctrl_reset(h->ctrl, kind, host_reset_done, h);
}

void th_reset_finish(struct th *h)
{
    if (!th_until(h, host_flag, &h->reset_done)) {
        g_error("a reset never ends");
    }
    th_forget(h);
}

void th_reset(struct th *h, enum envme_reset kind)
{
    th_reset_start(h, kind);
    th_reset_finish(h);
}

static bool host_quiet(void *arg)
{
    struct th *h = arg;

    return envme_ctrl_quiet(h->ctrl);
}

void th_bme(struct th *h, bool on)
{
    if (on) {
        atomic_store(&h->bme_quiet, false);
        atomic_store(&h->bme, true);
        envme_ctrl_set_bme(h->ctrl, true);
        return;
    }
    atomic_store(&h->bme, false);
    envme_ctrl_set_bme(h->ctrl, false);
    if (!th_until(h, host_quiet, h)) {
        g_error("Bus Master is off and the controller never quiet");
    }
    if (atomic_load(&h->maps)) {
        g_error("quiet, but with memory mapped");
    }
    atomic_store(&h->bme_quiet, true);
}
