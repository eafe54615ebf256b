/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fault rules from the command line, over QMP, and from the guest. */
#include "qnvme.h"

#include "envme/id.h"
#include "envme/log.h"
#include "envme/nvm.h"
#include "envme/ocp.h"
#include "qapi/error.h"
#include "qobject/qjson.h"

#define PATH "/machine/peripheral/nv"

static char *file_with(const char *name, const char *text)
{
    char *path = qn_tmp(name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static uint16_t read_block(QNvme *q, QnSq *sq, uint64_t lba)
{
    uint64_t buf = qn_alloc(q, 4096);
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, lba, 1, buf));

    return qn_status(&c);
}

/* Sets a property; the error's sentence (g_free), or NULL. */
static char *set(QNvme *q, const char *json)
{
    g_autofree char *text = g_strdup_printf("{'path': '" PATH "', %s}", json);
    QDict *answer = qtest_qmp(q->qts, "{'execute': 'qom-set', "
                              "'arguments': %p}",
                              qobject_from_json(text, &error_abort));
    char *err = NULL;

    if (qdict_haskey(answer, "error")) {
        err = g_strdup(qdict_get_str(qdict_get_qdict(answer, "error"),
                                     "desc"));
    }
    qobject_unref(answer);
    return err;
}

static void set_ok(QNvme *q, const char *json)
{
    g_autofree char *err = set(q, json);

    g_assert_cmpstr(err, ==, NULL);
}

static int64_t hits(QNvme *q, unsigned rule, char **verdict)
{
    QDict *answer = qtest_qmp(q->qts, "{'execute': 'qom-get', 'arguments': "
                              "{'path': '" PATH "', 'property': "
                              "'faults-report'}}");
    QDict *report = qdict_get_qdict(answer, "return");
    QDict *r = NULL;
    const QListEntry *e;
    int64_t n;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(report, "rules"), e) {
        if (!rule--) {
            r = qobject_to(QDict, qlist_entry_obj(e));
            break;
        }
    }
    g_assert_nonnull(r);
    n = qdict_get_int(r, "hits");
    if (verdict) {
        *verdict = g_strdup(qdict_get_str(report, "verdict"));
    }
    qobject_unref(answer);
    return n;
}

/* ---- from outside ------------------------------------------------------ */

static void test_file(void)
{
    g_autofree char *rules = file_with("rules.",
        "{\"rules\": [{\"name\": \"bad\", \"match\": {\"opcode\": \"read\", "
        "\"lba\": 8}, \"do\": {\"status\": \"unrecovered-read\"}, "
        "\"forbid\": \"block 8 was read\"}]}");
    g_autofree char *events = qn_tmp("events.");
    g_autofree char *props = g_strdup_printf("events=ev,faults=%s",
                                             rules);
    g_autofree char *extra = g_strdup_printf("-chardev file,id=ev,path=%s",
                                             events);
    g_autofree char *verdict = NULL, *worse = NULL, *log = NULL;
    g_auto(GStrv) lines = NULL;
    QNvme *q = qn_start(&(QnConf){ .props = props, .extra = extra });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);

    g_assert_cmphex(read_block(q, sq, 7), ==, ENVME_SC_SUCCESS);
    g_assert_cmpint(hits(q, 0, &verdict), ==, 0);
    g_assert_cmpstr(verdict, ==, "passed");
    g_assert_cmphex(read_block(q, sq, 8), ==, ENVME_SC_UNRECOVERED_READ);
    g_assert_cmpint(hits(q, 0, &worse), ==, 1);
    g_assert_cmpstr(worse, ==, "failed");
    qn_close(q);
    g_assert_true(g_file_get_contents(events, &log, NULL, NULL));
    lines = g_strsplit(log, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_nonnull(strstr(lines[0], "\"event\": \"hit\""));
    g_assert_nonnull(strstr(lines[0], "\"match\": 1"));
    g_assert_nonnull(strstr(lines[1], "\"event\": \"failed\""));
    g_assert_nonnull(strstr(lines[1], "block 8 was read"));
}

static void test_qmp(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    g_autofree char *err = NULL, *err2 = NULL, *err3 = NULL;

    set_ok(q, "'property': 'faults', 'value': {'active': false, 'rules': ["
           "{'name': 'a', 'match': {'opcode': 'read'}, 'do': "
           "{'status': 'internal'}}]}");
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_SUCCESS);
    set_ok(q, "'property': 'faults-active', 'value': true");
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_INTERNAL);
    set_ok(q, "'property': 'faults-disarm', 'value': 'a'");
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_SUCCESS);
    set_ok(q, "'property': 'faults-arm', 'value': 'a'");
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_INTERNAL);
    g_assert_cmpint(hits(q, 0, NULL), ==, 1);
    err = set(q, "'property': 'faults-arm', 'value': 'b'");
    g_assert_cmpstr(err, ==, "there is no rule 'b'");
    err2 = set(q, "'property': 'faults', 'value': {'rules': [{'name': 'x', "
               "'do': {'fly': 1}}]}");
    g_assert_nonnull(strstr(err2, "rule 'x'.do.fly: there is no action"));
    err3 = set(q, "'property': 'faults', 'value': '/nowhere/at/all'");
    g_assert_nonnull(strstr(err3, "/nowhere/at/all"));
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_INTERNAL);
    set_ok(q, "'property': 'faults', 'value': {}");
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_SUCCESS);
    qn_close(q);
}

/* ---- replay ------------------------------------------------------------ */

#define REPLAY_IOS 120

/* The same commands under those rules: their status, and the events' lines. */
static void random_run(const char *rules, const char *events,
                       uint16_t status[REPLAY_IOS], char **log)
{
    g_autofree char *props = g_strdup_printf("events=ev,faults=%s", rules);
    g_autofree char *extra = g_strdup_printf("-chardev file,id=ev,path=%s",
                                             events);
    QNvme *q = qn_start(&(QnConf){ .props = props, .extra = extra });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, 4096);

    for (unsigned i = 0; i < REPLAY_IOS; i++) {
        uint8_t opc = i % 3 ? ENVME_NVM_READ : ENVME_NVM_WRITE;
        struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, opc, i % 32, 1, buf));

        status[i] = qn_status(&c);
    }
    qn_close(q);
    g_assert_true(g_file_get_contents(events, log, NULL, NULL));
}

/* "hit" lines, but for what differs: times, names, and match numbers. */
static GPtrArray *hit_commands(const char *log)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

    for (unsigned i = 0; lines[i]; i++) {
        QObject *o = *lines[i] ? qobject_from_json(lines[i], &error_abort)
                               : NULL;
        QDict *d = o ? qobject_to(QDict, o) : NULL;

        if (d && strcmp(qdict_get_str(d, "event"), "hit") == 0) {
            g_ptr_array_add(all, g_strdup(qdict_get_str(d, "sqe")));
        }
        qobject_unref(o);
    }
    return all;
}

/* What random rules have done is done again, by rules that are not. */
static void test_replay(void)
{
    g_autofree char *rules = file_with("rules.",
        "{\"seed\": 11, \"rules\": ["
        "{\"name\": \"r\", \"match\": {\"opcode\": \"read\"}, \"when\": "
        "{\"probability\": 0.1}, \"do\": {\"status\": \"internal\"}},"
        "{\"name\": \"w\", \"match\": {\"opcode\": \"write\"}, \"when\": "
        "{\"probability\": 0.25, \"every\": 2}, \"do\": "
        "{\"status\": \"write-fault\"}}]}");
    g_autofree char *events = qn_tmp("events."), *more = qn_tmp("more.");
    g_autofree char *tool = g_build_filename(g_getenv("ENVME_SOURCE"),
                                             "scripts", "envme-faults", NULL);
    char *argv[] = { tool, (char *)"replay", events, rules, NULL };
    g_autofree char *log = NULL, *log2 = NULL, *out = NULL, *replay = NULL;
    uint16_t status[REPLAY_IOS], again[REPLAY_IOS];
    GPtrArray *hit, *hit2;
    unsigned errors = 0;
    int rc = -1;

    random_run(rules, events, status, &log);
    g_assert_true(g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, &out, NULL,
                               &rc, NULL));
    g_assert_cmpint(rc, ==, 0);
    g_assert_null(strstr(out, "probability"));
    replay = file_with("replay.", out);
    random_run(replay, more, again, &log2);
    g_assert_cmpmem(again, sizeof(again), status, sizeof(status));
    hit = hit_commands(log);
    hit2 = hit_commands(log2);
    g_assert_cmpuint(hit->len, ==, hit2->len);
    for (unsigned i = 0; i < hit->len; i++) {
        g_assert_cmpstr(g_ptr_array_index(hit, i), ==,
                        g_ptr_array_index(hit2, i));
    }
    for (unsigned i = 0; i < REPLAY_IOS; i++) {
        errors += status[i] != ENVME_SC_SUCCESS;
    }
    g_assert_cmpuint(errors, ==, hit->len);
    g_assert_cmpuint(errors, >, 3);
    g_assert_cmpuint(errors, <, REPLAY_IOS / 2);
    g_ptr_array_unref(hit);
    g_ptr_array_unref(hit2);
}

/* ---- from inside ------------------------------------------------------- */

static struct envme_cqe send_text(QNvme *q, unsigned op, const char *text)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_FAULT_SEND, 0);
    uint64_t buf = qn_alloc(q, 4096);

    qn_write(q, buf, text, strlen(text) + 1);
    s.dptr.prp1 = le64(buf);
    s.cdw10 = le32(1024);
    s.cdw12 = le32(op);
    return qn_admin(q, s);
}

static char *receive_text(QNvme *q, unsigned op)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_FAULT_RECEIVE, 0);
    uint64_t buf = qn_alloc(q, 4096);
    char *text = g_malloc0(4097);
    struct envme_cqe c;

    s.dptr.prp1 = le64(buf);
    s.cdw10 = le32(1024);
    s.cdw12 = le32(op);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    qn_read(q, buf, text, 4096);
    g_assert_cmpuint(strlen(text), ==, le32_get(c.dw0));
    return text;
}

static void test_inside(void)
{
    static const uint8_t uuid[16] = ENVME_OCP_UUID;
    QNvme *q = qn_start(&(QnConf){
        .props = "fault-injection=on,"
                 "uuids=00112233-4455-6677-8899-aabbccddeeff" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    g_autofree struct envme_uuid_list *list = g_malloc(4096);
    g_autofree char *err = NULL, *report = NULL, *rules = NULL;
    struct envme_ocp_error e = {
        .flags = ENVME_OCP_ERROR_ENABLE | ENVME_OCP_ERROR_SINGLE,
        .type = le16(ENVME_OCP_NAND_CORRUPT), .nrtdp = le16(1),
    };
    uint64_t buf = qn_alloc(q, 4096);
    struct envme_cqe c = qn_admin(q, qn_identify(ENVME_CNS_UUID_LIST, 0, buf));
    struct envme_sqe s;

    qn_assert_ok(c);
    qn_read(q, buf, list, 4096);
    g_assert_cmpmem(list->entry[1].uuid, 16, uuid, 16);
    s = qn_feature(true, ENVME_FID_OCP_ERROR, 1);
    qn_write(q, buf, &e, sizeof(e));
    s.dptr.prp1 = le64(buf);
    s.cdw14 = le32(2);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_UNRECOVERED_READ);
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_SUCCESS);
    c = send_text(q, ENVME_FAULT_LOAD, "{\"rules\": [{\"name\": \"r\", "
                  "\"match\": {\"opcode\": \"read\"}, \"do\": {\"status\": "
                  "\"internal\"}}]}");
    qn_assert_ok(c);
    g_assert_cmphex(read_block(q, sq, 0), ==, ENVME_SC_INTERNAL);
    g_assert_cmpint(hits(q, 0, NULL), ==, 1);
    /* The reader's own sentences, and no end of QEMU. */
    c = send_text(q, ENVME_FAULT_LOAD, "{\"rules\": [{]}");
    qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    err = receive_text(q, ENVME_FAULT_ERROR);
    g_assert_cmpuint(strlen(err), >, 5);
    for (const char *const *t = (const char *const []){ "", "[", "null", "3",
             "\"rules.json\"", "{\"rules\": 1e400}", "\xff\xfe", NULL };
         *t; t++) {
        c = send_text(q, ENVME_FAULT_LOAD, *t);
        qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    }
    report = receive_text(q, ENVME_FAULT_REPORT);
    g_assert_nonnull(strstr(report, "\"hits\": 1"));
    rules = receive_text(q, ENVME_FAULT_RULES);
    g_assert_nonnull(strstr(rules, "\"internal\""));
    qn_close(q);
}

static void test_not_inside(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    struct envme_cqe c = qn_admin(q, qn_sqe(ENVME_ADM_FAULT_SEND, 0));

    qn_assert_sc(c, ENVME_SC_INVALID_OPCODE);
    c = qn_admin(q, qn_sqe(ENVME_ADM_FAULT_RECEIVE, 0));
    qn_assert_sc(c, ENVME_SC_INVALID_OPCODE);
    c = qn_admin(q, qn_feature(false, ENVME_FID_OCP_ERROR, 0));
    qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (qn_is_envme()) {
        qn_add("/faults/file", test_file, 0);
        qn_add("/faults/qmp", test_qmp, QN_SMOKE);
        qn_add("/faults/replay", test_replay, 0);
        qn_add("/faults/inside", test_inside, 0);
        qn_add("/faults/not-inside", test_not_inside, 0);
    }
    return g_test_run();
}
