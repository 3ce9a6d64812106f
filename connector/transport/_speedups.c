/* The hottest loops of the library, in C: optional, and exactly as those in Python.

   `connector.transport.websocket_frames`, `connector.transport.deflate`, `connector.feeds.hot_loop`,
   `connector.feeds.intake`, `connector.feeds.handover` and `connector.exchanges.shortcuts` say what is
   here and have each of it in Python, too; tests hold both to the same results. Nothing here keeps
   state, waits, or knows of trio, sockets or an exchange. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>
#include <time.h>

/* Built for the stable ABI (setup.py), what is a macro of the full API is a function. */
#ifdef Py_LIMITED_API
#define PyBytes_AS_STRING PyBytes_AsString
#define PyBytes_GET_SIZE PyBytes_Size
#define PyList_GET_SIZE PyList_Size
#define PyList_GET_ITEM PyList_GetItem
#define PyTuple_GET_SIZE PyTuple_Size
#define PyTuple_GET_ITEM PyTuple_GetItem
#define PyTuple_SET_ITEM PyTuple_SetItem
#define PyObject_CallOneArg(callable, argument) \
    PyObject_Vectorcall((callable), (PyObject *[]){(argument)}, 1, NULL)
#define PyObject_CallMethodNoArgs(object, name) \
    PyObject_VectorcallMethod((name), (PyObject *[]){(object)}, 1, NULL)
#define PyObject_CallMethodOneArg(object, name, argument) \
    PyObject_VectorcallMethod((name), (PyObject *[]){(object), (argument)}, 2, NULL)
#define Py_XSETREF(place, value) \
    do { \
        PyObject *before_ = (place); \
        (place) = (value); \
        Py_XDECREF(before_); \
    } while (0)
#define Py_SETREF Py_XSETREF
#endif

/* A scan of all bytes of a message, twice as fast where the processor has wider vectors. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) \
    && !defined(__SANITIZE_ADDRESS__)
#define SCAN __attribute__((target_clones("avx2", "default")))
#else
#define SCAN
#endif

/* What an exchange's decoders raise for a message that does not decode. */
static PyObject *undecodable;
/* What msgspec raises for a message that is not of its type. */
static PyObject *invalid;

static PyObject *name_received_ns, *name_session, *name_room, *name_put_run,
    *name_exchange_time_ns, *name_eof, *name_decompress, *name_data, *name_symbol, *name_frame,
    *name_wire_time, *name_last_update_id, *name_previous_update_id, *name_next, *name_await,
    *name_unblock, *name_wait_for_item, *name_let_go, *name_throw, *name_close, *name_frame_of,
    *name_awaited;

/* --- numbers from outside */

/* A count that may be larger than memory, as the largest that memory could have; a negative one is
   refused. -1 with an exception set. */
static Py_ssize_t
count_of(PyObject *number, const char *refused)
{
    Py_ssize_t count = PyNumber_AsSsize_t(number, NULL);
    if (count < 0 && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, refused);
    }
    return count < 0 ? -1 : count;
}

/* --- frames (RFC 6455 §5.2) */

enum { ODD = 0, SHORTEST_HEADER = 2, ASCII_BLOCK = 4096 };

SCAN static int
is_ascii(const char *data, Py_ssize_t size)
{
    unsigned char found = 0;
    /* All of it, without a way out: compilers make vectors of that. */
    for (Py_ssize_t i = 0; i < size; i++) {
        found |= (unsigned char)data[i];
    }
    return found < 0x80;
}

/* Whether a text message may hold these bytes (RFC 6455 §8.1); -1 with an exception set. */
static int
is_utf8(const char *data, Py_ssize_t size)
{
    const char *end = data + size, *at = data;
    /* Market data is ASCII but for a few symbols. */
    for (; end - at >= ASCII_BLOCK && is_ascii(at, ASCII_BLOCK); at += ASCII_BLOCK) {
    }
    if (end - at < ASCII_BLOCK && is_ascii(at, end - at)) {
        return 1;
    }
    while (at < end && !(*at & 0x80)) {
        at++;
    }
    if (at == end) {
        return 1;
    }
    PyObject *text = PyUnicode_DecodeUTF8(at, end - at, NULL);
    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(text);
    return 1;
}

/* The header of a whole, unmasked frame whose first byte is `opening`.

   Returns its size, with the payload's in `length`; 0 if it is no such frame, and minus the bytes
   that are needed to tell, if those that there are do not. */
static int
read_header(const unsigned char *at, Py_ssize_t left, unsigned char opening, uint64_t *length)
{
    if (left < SHORTEST_HEADER) {
        return left == 1 && at[0] != opening ? 0 : -SHORTEST_HEADER;
    }
    if (at[0] != opening || at[1] > 127) {
        return 0;
    }
    *length = at[1];
    if (at[1] < 126) {
        return 2;
    }
    int size = at[1] == 126 ? 4 : 10;
    if (left < size) {
        return -size;
    }
    *length = 0;
    for (int i = 2; i < size; i++) {
        *length = *length << 8 | at[i];
    }
    /* A length must be told in the fewest bytes, and its highest bit is 0. */
    return *length < (size == 4 ? 126 : 65536) || *length >> 63 ? 0 : size;
}

/* Where in a buffer of `size` bytes something begins; -1 with an exception set. */
static Py_ssize_t
place_in(Py_ssize_t size, PyObject *number)
{
    static const char refused[] = "a position lies in the data";
    Py_ssize_t position = count_of(number, refused);
    if (position > size) {
        PyErr_SetString(PyExc_ValueError, refused);
        return -1;
    }
    return position;
}

PyDoc_STRVAR(lift_text_doc,
"lift_text(data, position, limit, messages)\n--\n\nSee connector.transport.websocket_frames.");

static PyObject *
lift_text(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyBytes_Check(args[0]) || !PyList_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "lift_text(bytes, int, int, list)");
        return NULL;
    }
    const char *data = PyBytes_AS_STRING(args[0]);
    Py_ssize_t end = PyBytes_GET_SIZE(args[0]);
    Py_ssize_t position = place_in(end, args[1]);
    Py_ssize_t limit = position < 0 ? -1 : count_of(args[2], "a limit is not negative");
    if (limit < 0) {
        return NULL;
    }
    /* As large as a length, 2^63 - 1, and a header. */
    uint64_t wanted = ODD;
    while (1) {
        uint64_t length;
        int size = read_header((const unsigned char *)data + position, end - position, 0x81,
                               &length);
        if (size <= 0) {
            wanted = (uint64_t)-size;
            break;
        }
        if (length > (uint64_t)limit) {
            break;
        }
        if (length > (uint64_t)(end - position - size)) {
            wanted = (uint64_t)size + length;
            break;
        }
        const char *payload = data + position + size;
        int valid = is_utf8(payload, (Py_ssize_t)length);
        if (valid < 0) {
            return NULL;
        }
        if (!valid) {
            break;
        }
        PyObject *message = PyBytes_FromStringAndSize(payload, (Py_ssize_t)length);
        if (message == NULL) {
            return NULL;
        }
        int failed = PyList_Append(args[3], message);
        Py_DECREF(message);
        if (failed) {
            return NULL;
        }
        position += size + (Py_ssize_t)length;
    }
    return Py_BuildValue("nK", position, (unsigned long long)wanted);
}

PyDoc_STRVAR(inflate_text_doc,
"inflate_text(stream, data, position, surely_fits, portion, messages)\n--\n\n"
"See connector.transport.deflate.");

static PyObject *
inflate_text(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 6 || !PyBytes_Check(args[1]) || !PyList_Check(args[5])) {
        PyErr_SetString(PyExc_TypeError, "inflate_text(decompressobj, bytes, int, int, int, list)");
        return NULL;
    }
    PyObject *stream = args[0];
    const char *data = PyBytes_AS_STRING(args[1]);
    Py_ssize_t end = PyBytes_GET_SIZE(args[1]);
    Py_ssize_t position = place_in(end, args[2]);
    if (position < 0) {
        return NULL;
    }
    /* Negative where the limit is so small that nothing surely fits. */
    Py_ssize_t surely_fits = PyNumber_AsSsize_t(args[3], NULL);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_ssize_t portion = PyNumber_AsSsize_t(args[4], NULL);
    if (PyErr_Occurred()) {
        return NULL;
    }
    while (portion > 0) {
        uint64_t length;
        int size = read_header((const unsigned char *)data + position, end - position, 0xC1,
                               &length);
        if (size <= 0 || surely_fits < 0 || length > (uint64_t)surely_fits
            || length > (uint64_t)(end - position - size)) {
            break;
        }
        PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length + 4);
        if (packed == NULL) {
            return NULL;
        }
        memcpy(PyBytes_AS_STRING(packed), data + position + size, (size_t)length);
        memcpy(PyBytes_AS_STRING(packed) + length, "\x00\x00\xff\xff", 4);
        PyObject *message = PyObject_CallMethodOneArg(stream, name_decompress, packed);
        Py_DECREF(packed);
        if (message == NULL) {
            return NULL;
        }
        if (!PyBytes_Check(message)) {
            Py_DECREF(message);
            PyErr_SetString(PyExc_TypeError, "what inflates must return bytes");
            return NULL;
        }
        portion -= PyBytes_GET_SIZE(message);
        PyObject *eof = PyObject_GetAttr(stream, name_eof);
        if (eof == NULL) {
            Py_DECREF(message);
            return NULL;
        }
        Py_DECREF(eof);
        int valid = eof == Py_True ? 0
                                   : is_utf8(PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message));
        if (valid < 0) {
            Py_DECREF(message);
            return NULL;
        }
        if (!valid) {
            /* A final block, or not UTF-8: Python decides, and goes on behind it. */
            return Py_BuildValue("nNn", position + size + (Py_ssize_t)length, message, portion);
        }
        int failed = PyList_Append(args[5], message);
        Py_DECREF(message);
        if (failed) {
            return NULL;
        }
        position += size + (Py_ssize_t)length;
    }
    return Py_BuildValue("nOn", position, Py_None, portion);
}

/* The value of an integer in `value`; 0 if it is none, or does not fit. */
static inline int
value_of(PyObject *number, long long *value)
{
    int overflow = 1;
    if (!PyLong_CheckExact(number)) {
        return 0;
    }
#if !defined(Py_LIMITED_API) && PY_VERSION_HEX < 0x030C0000
    const digit *digits = ((PyLongObject *)number)->ob_digit;
    if (Py_SIZE(number) == 1 || Py_SIZE(number) == 2) {
        *value = digits[0] | (Py_SIZE(number) == 1 ? 0 : (long long)digits[1] << PyLong_SHIFT);
        return 1;
    }
#endif
    *value = PyLong_AsLongLongAndOverflow(number, &overflow);
    return !overflow;
}

/* --- fields of structs */

enum { MOST_FIELDS = 4 };

/* Where the fields of a type are, so that they need not be looked up by name for each object: of the
   type of which two objects came one after the other, because a look costs more than one reads. */
typedef struct {
    PyObject *type;
    PyObject *descriptors[MOST_FIELDS]; /* NULL: of a field that is read as that of any object */
    int is_known;
} Fields;

static void
forget_fields(Fields *fields)
{
    Py_CLEAR(fields->type);
    for (int i = 0; i < MOST_FIELDS; i++) {
        Py_CLEAR(fields->descriptors[i]);
    }
    fields->is_known = 0;
}

/* Notes that `object` is the next whose fields, called `names`, are asked for; -1 with an exception
   set. */
static int
look_at(Fields *fields, PyObject *object, PyObject *const *names, int count)
{
    if ((PyObject *)Py_TYPE(object) != fields->type) {
        forget_fields(fields);
        fields->type = Py_NewRef((PyObject *)Py_TYPE(object));
        return 0;
    }
    if (fields->is_known) {
        return 0;
    }
    fields->is_known = 1;
    for (int i = 0; i < count; i++) {
        if (names[i] == NULL || !PyUnicode_Check(names[i])) {
            continue;
        }
        PyObject *type = (PyObject *)Py_TYPE(object), *found = PyObject_GetAttr(type, names[i]);
        if (found == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
                return -1;
            }
            PyErr_Clear();
            continue;
        }
        int is_field = Py_TYPE(found) == &PyMemberDescr_Type;
#ifndef Py_LIMITED_API
        const PyMemberDef *member = is_field ? ((PyMemberDescrObject *)found)->d_member : NULL;
        is_field = is_field && member->type == T_OBJECT_EX && !(member->flags & READONLY)
                   /* and lies in these objects, not in those of a type that it was taken from */
                   && PyType_IsSubtype((PyTypeObject *)type,
                                       ((PyMemberDescrObject *)found)->d_common.d_type);
#endif
        /* The look may have led here again, with another object. */
        if (is_field && fields->type == type && fields->descriptors[i] == NULL) {
            fields->descriptors[i] = found;
        }
        else {
            Py_DECREF(found);
        }
    }
    return 0;
}

/* Where in `object` that field lies, if it is known and has a value; else NULL. */
static inline PyObject **
place_of(const Fields *fields, int i, PyObject *object)
{
#ifdef Py_LIMITED_API
    return NULL;
#else
    PyObject *descriptor = fields->descriptors[i];
    if (descriptor == NULL || (PyObject *)Py_TYPE(object) != fields->type) {
        return NULL;
    }
    Py_ssize_t offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    PyObject **place = (PyObject **)((char *)object + offset);
    return *place == NULL ? NULL : place;
#endif
}

/* The field of `object` whose name is the one at `i`; NULL with an exception set. */
static PyObject *
read_field(const Fields *fields, int i, PyObject *object, PyObject *name)
{
    PyObject *descriptor = fields->descriptors[i];
    if (descriptor == NULL || (PyObject *)Py_TYPE(object) != fields->type) {
        return PyObject_GetAttr(object, name);
    }
#ifdef Py_LIMITED_API
    descrgetfunc get = (descrgetfunc)PyType_GetSlot(&PyMemberDescr_Type, Py_tp_descr_get);
    return get(descriptor, object, fields->type);
#else
    Py_ssize_t offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    PyObject *value = *(PyObject **)((char *)object + offset);
    return value == NULL ? PyObject_GetAttr(object, name) : Py_NewRef(value);
#endif
}

/* Sets that field; -1 with an exception set. */
static int
write_field(const Fields *fields, int i, PyObject *object, PyObject *name, PyObject *value)
{
    PyObject *descriptor = fields->descriptors[i];
    if (descriptor == NULL || (PyObject *)Py_TYPE(object) != fields->type) {
        return PyObject_SetAttr(object, name, value);
    }
#ifdef Py_LIMITED_API
    descrsetfunc set = (descrsetfunc)PyType_GetSlot(&PyMemberDescr_Type, Py_tp_descr_set);
    return set(descriptor, object, value);
#else
    Py_ssize_t offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    PyObject **place = (PyObject **)((char *)object + offset), *before = *place;
    *place = Py_NewRef(value);
    Py_XDECREF(before);
    return 0;
#endif
}

/* --- events */

/* connector.feeds.intake: the base of `Subscription`, whose attributes the loop reads and writes. */
typedef struct {
    PyObject_HEAD
    PyObject *name;
    PyObject *tells_time;
    PyObject *group;
    PyObject *decode;
    PyObject *decode_unchecked;
    PyObject *sequence;
    PyObject *last_id;
    PyObject *fold;
    PyObject *latest;
    long long messages;
    long long payload_bytes;
} Intake;

static PyMemberDef intake_members[] = {
    {"name", T_OBJECT_EX, offsetof(Intake, name), 0, NULL},
    {"tells_time", T_OBJECT_EX, offsetof(Intake, tells_time), 0, NULL},
    {"group", T_OBJECT_EX, offsetof(Intake, group), 0, NULL},
    {"decode", T_OBJECT_EX, offsetof(Intake, decode), 0, NULL},
    {"decode_unchecked", T_OBJECT_EX, offsetof(Intake, decode_unchecked), 0, NULL},
    {"sequence", T_OBJECT_EX, offsetof(Intake, sequence), 0, NULL},
    {"last_id", T_OBJECT_EX, offsetof(Intake, last_id), 0, NULL},
    {"fold", T_OBJECT_EX, offsetof(Intake, fold), 0, NULL},
    {"latest", T_OBJECT_EX, offsetof(Intake, latest), 0, NULL},
    {"messages", T_LONGLONG, offsetof(Intake, messages), 0, NULL},
    {"payload_bytes", T_LONGLONG, offsetof(Intake, payload_bytes), 0, NULL},
    {NULL},
};

static int
traverse_intake(Intake *intake, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)intake));
    Py_VISIT(intake->name);
    Py_VISIT(intake->tells_time);
    Py_VISIT(intake->group);
    Py_VISIT(intake->decode);
    Py_VISIT(intake->decode_unchecked);
    Py_VISIT(intake->sequence);
    Py_VISIT(intake->last_id);
    Py_VISIT(intake->fold);
    Py_VISIT(intake->latest);
    return 0;
}

static int
clear_intake(Intake *intake)
{
    Py_CLEAR(intake->name);
    Py_CLEAR(intake->tells_time);
    Py_CLEAR(intake->group);
    Py_CLEAR(intake->decode);
    Py_CLEAR(intake->decode_unchecked);
    Py_CLEAR(intake->sequence);
    Py_CLEAR(intake->last_id);
    Py_CLEAR(intake->fold);
    Py_CLEAR(intake->latest);
    return 0;
}

static void
free_intake(Intake *intake)
{
    PyTypeObject *type = Py_TYPE((PyObject *)intake);
    PyObject_GC_UnTrack(intake);
    clear_intake(intake);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(intake);
    Py_DECREF(type);
}

static PyType_Slot intake_slots[] = {
    {Py_tp_doc, "See connector.feeds.intake."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, free_intake},
    {Py_tp_traverse, traverse_intake},
    {Py_tp_clear, clear_intake},
    {Py_tp_members, intake_members},
    {0, NULL},
};

static PyType_Spec intake_spec = {
    .name = "connector.transport._speedups.Intake",
    .basicsize = sizeof(Intake),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = intake_slots,
};

/* Made once: `Subscription` inherits from it. */
static PyTypeObject *intake_type;

/* What a rule or a fold that is made here is, without what it is bound to. */
typedef PyObject *(*Bound)(PyObject *options, PyObject *const *args, Py_ssize_t count);

static Bound bound_rule(PyObject *rule);
static PyObject *follow_rising(PyObject *options, PyObject *const *args, Py_ssize_t count);
static PyObject *follow_dense(PyObject *options, PyObject *const *args, Py_ssize_t count);
static PyObject *id_of(PyObject *options, PyObject *event, long long *value);
static const Fields *id_fields(PyObject *options);
static int is_once(PyObject *fold);
enum { ONCE_TIME, ONCE_ID, ONCE_SEEN, ONCE_OPTIONS };
static const Fields *once_fields(PyObject *options);
static int once_look(PyObject *options, PyObject *event);
static PyObject *once_field(PyObject *options, int field, PyObject *event);
static PyObject *seen_with(PyObject *options, PyObject *last, PyObject *event);
static int tell_seen(PyObject *options, PyObject *event, PyObject *seen);

/* What the loop holds of the stream that the present run of messages is of. */
typedef struct {
    Intake *subscription;
    PyObject *decode;
    PyObject *decode_unchecked;
    PyObject *rule;
    PyObject *last_id;
    PyObject *fold;
    PyObject *latest;
    Py_ssize_t messages;
    Py_ssize_t payload_bytes;
    /* Of a rule and a fold that are made here: what is called then, and with what. */
    Bound follow;
    PyObject *follow_options;
    const Fields *id_fields; /* where the rule finds an id, if it needs no more than that */
    enum { BY_RULE, RISING, DENSE } ids;
    long long last_value; /* of `last_id`, as far as it is known; else 0 */
    PyObject *once_options;
    const Fields *once_fields;
} Run;

static void
forget_run(Run *run)
{
    Py_CLEAR(run->subscription);
    Py_CLEAR(run->decode);
    Py_CLEAR(run->decode_unchecked);
    Py_CLEAR(run->rule);
    Py_CLEAR(run->last_id);
    Py_CLEAR(run->fold);
    Py_CLEAR(run->latest);
}

static int
begin_run(Run *run, Intake *subscription)
{
    if (subscription->decode == NULL || subscription->decode_unchecked == NULL
        || subscription->sequence == NULL || subscription->last_id == NULL
        || subscription->fold == NULL || subscription->latest == NULL) {
        PyErr_SetString(PyExc_AttributeError, "an attribute of a stream is not set");
        return -1;
    }
    run->messages = run->payload_bytes = 0;
    run->subscription = (Intake *)Py_NewRef((PyObject *)subscription);
    run->decode = Py_NewRef(subscription->decode);
    run->decode_unchecked = Py_NewRef(subscription->decode_unchecked);
    run->rule = Py_NewRef(subscription->sequence);
    run->last_id = Py_NewRef(subscription->last_id);
    run->fold = Py_NewRef(subscription->fold);
    run->latest = Py_NewRef(subscription->latest);
    run->follow = bound_rule(run->rule);
    run->follow_options = run->follow == NULL ? NULL : PyCFunction_GetSelf(run->rule);
    run->ids = run->follow == follow_rising ? RISING
               : run->follow == follow_dense ? DENSE
                                             : BY_RULE;
    run->id_fields = run->ids == BY_RULE ? NULL : id_fields(run->follow_options);
    if (run->id_fields == NULL && PyErr_Occurred()) {
        return -1;
    }
    run->last_value = 0;
    run->once_options = is_once(run->fold) ? PyCFunction_GetSelf(run->fold) : NULL;
    if (run->once_options != NULL && (run->once_fields = once_fields(run->once_options)) == NULL) {
        return -1;
    }
    return 0;
}

/* Note in the subscription what the run was. */
static void
end_run(Run *run)
{
    if (run->messages == 0) {
        return;
    }
    run->subscription->messages += run->messages;
    run->subscription->payload_bytes += run->payload_bytes;
    Py_XSETREF(run->subscription->last_id, Py_NewRef(run->last_id));
    Py_XSETREF(run->subscription->latest, Py_NewRef(run->latest));
}

/* Which byte of `needle` to look for: a letter, if it has one, for JSON is full of quotes. */
static Py_ssize_t
rarest(const char *needle, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < length; i++) {
        if ((needle[i] | 0x20) >= 'a' && (needle[i] | 0x20) <= 'z') {
            return i;
        }
    }
    return 0;
}

/* Where `needle` begins in `data`, at `from` or behind it; -1 if nowhere. */
static Py_ssize_t
find(const char *data, Py_ssize_t size, Py_ssize_t from, const char *needle, Py_ssize_t length)
{
    if (length == 0) {
        return from <= size ? from : -1;
    }
    Py_ssize_t rare = rarest(needle, length);
    while (from <= size - length) {
        const char *at = memchr(data + from + rare, needle[rare],
                                (size_t)(size - length - from + 1));
        if (at == NULL) {
            return -1;
        }
        from = at - data - rare;
        if (memcmp(data + from, needle, (size_t)length) == 0) {
            return from;
        }
        from++;
    }
    return -1;
}

enum { MOST_PARTS = 4 };

/* A part of a stream's name: where it begins, or -1 to search what is before it. */
typedef struct {
    Py_ssize_t offset;
    PyObject *before;
    PyObject *after;
} Part;

/* What `take` is asked for. */
typedef struct {
    PyObject *payloads;
    Py_ssize_t first;
    Part parts[MOST_PARTS];
    Py_ssize_t part_count;
    int whole;
    Py_ssize_t tail;
    PyObject *streams;
    PyObject *received_ns;
    PyObject *session;
    PyObject *events;
} Order;

/* Whether the parts of `payload` that lie there are those of `name`, which has their size. */
static int
is_joined(const Order *order, const char *payload, const Py_ssize_t *begins, const Py_ssize_t *ends,
          const char *name)
{
    for (Py_ssize_t i = 0; i < order->part_count; i++) {
        if (i && *name++ != ':') {
            return 0;
        }
        size_t length = (size_t)(ends[i] - begins[i]);
        if (memcmp(name, payload + begins[i], length)) {
            return 0;
        }
        name += length;
    }
    return 1;
}

/* The name of the stream that `payload` is of, `known` itself if it is the same, and in `behind` where
   its last part ends; NULL if it has none, or with an exception set. */
static PyObject *
find_name(const Order *order, const char *payload, Py_ssize_t size, PyObject *known,
          Py_ssize_t *behind)
{
    Py_ssize_t begins[MOST_PARTS], ends[MOST_PARTS], at = 0, total = -1;
    for (Py_ssize_t i = 0; i < order->part_count; i++) {
        const Part *part = &order->parts[i];
        Py_ssize_t begin = part->offset;
        if (begin < 0) {
            Py_ssize_t length = PyBytes_GET_SIZE(part->before);
            begin = find(payload, size, at, PyBytes_AS_STRING(part->before), length);
            if (begin < 0) {
                return NULL;
            }
            begin += length;
        }
        Py_ssize_t length = PyBytes_GET_SIZE(part->after);
        Py_ssize_t end = find(payload, size, begin, PyBytes_AS_STRING(part->after), length);
        if (end < 0) {
            return NULL;
        }
        begins[i] = begin;
        ends[i] = end;
        total += 1 + end - begin;
        at = end + length;
    }
    if (total < 0) {
        return NULL;
    }
    *behind = at;
    if (known != NULL && PyBytes_GET_SIZE(known) == total
        && is_joined(order, payload, begins, ends, PyBytes_AS_STRING(known))) {
        return Py_NewRef(known);
    }
    if (order->part_count == 1) {
        return PyBytes_FromStringAndSize(payload + begins[0], total);
    }
    PyObject *name = PyBytes_FromStringAndSize(NULL, total);
    if (name == NULL) {
        return NULL;
    }
    char *to = PyBytes_AS_STRING(name);
    for (Py_ssize_t i = 0; i < order->part_count; i++) {
        if (i) {
            *to++ = ':';
        }
        memcpy(to, payload + begins[i], (size_t)(ends[i] - begins[i]));
        to += ends[i] - begins[i];
    }
    return name;
}

/* The subscription of that name if it is for this loop; NULL if it is not, or with an exception set.
   Held: what is called later may take it out of the streams. */
static Intake *
find_stream(const Order *order, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(order->streams, name);
    if (found == NULL) {
        return NULL;
    }
    if (!PyObject_TypeCheck(found, intake_type)) {
        PyErr_SetString(PyExc_TypeError, "a stream must be an Intake");
        return NULL;
    }
    Intake *subscription = (Intake *)found;
    if (subscription->group == NULL || subscription->group == Py_None) {
        return NULL;
    }
    return (Intake *)Py_NewRef(found);
}

enum { NOT_ASKED = -1 };

/* How many events `group` has room for; -1 with an exception set. */
static Py_ssize_t
room_of(PyObject *group)
{
    PyObject *room = PyObject_CallMethodNoArgs(group, name_room);
    Py_ssize_t count = room == NULL ? -1 : count_of(room, "a room is not negative");
    Py_XDECREF(room);
    return count;
}

/* Whether JSON could hold what msgspec takes for a number and is none: "nan" or "inf", of which "nf"
   is looked for, in any case, spelled out or in escapes. Where it cannot, which is nearly everywhere,
   nothing need be checked. */
SCAN static int
is_suspect(const char *data, Py_ssize_t size)
{
    unsigned char found = 0;
    /* All of it, without a way out: compilers make vectors of that. */
    for (Py_ssize_t i = 0; i < size - 2; i++) {
        unsigned char first = (unsigned char)data[i] | 0x20, second = (unsigned char)data[i + 1] | 0x20,
                      third = (unsigned char)data[i + 2] | 0x20;
        found |= (first == 'n') & ((second == 'f') | ((second == 'a') & (third == 'n')));
    }
    return found || memchr(data, '\\', (size_t)size) != NULL;
}

/* What the stream reads in `data`; NULL with an exception set. */
static PyObject *
decode_data(const Run *run, PyObject *data)
{
    PyObject *read = run->decode;
    if (run->decode_unchecked != Py_None
        && !is_suspect(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))) {
        read = run->decode_unchecked;
    }
    return PyObject_CallOneArg(read, data);
}

enum { STAMP_RECEIVED_NS, STAMP_SESSION, STAMP_FIELDS };

/* Stamps `event`; -1 with an exception set. */
static int
stamp(const Order *order, Fields *stamps, PyObject *event)
{
    PyObject *const names[] = {name_received_ns, name_session};
    if (look_at(stamps, event, names, STAMP_FIELDS)) {
        return -1;
    }
    return write_field(stamps, STAMP_RECEIVED_NS, event, name_received_ns, order->received_ns)
                   || write_field(stamps, STAMP_SESSION, event, name_session, order->session)
               ? -1
               : 0;
}

/* The event in `message`, or the list of its events; NULL with an exception set. */
static PyObject *
decode(const Order *order, const Run *run, PyObject *message, Py_ssize_t behind)
{
    if (order->whole) {
        return decode_data(run, message);
    }
    Py_ssize_t left = PyBytes_GET_SIZE(message) - behind;
    Py_ssize_t length = left > order->tail ? left - order->tail : 0;
    PyObject *data = PyBytes_FromStringAndSize(PyBytes_AS_STRING(message) + behind, length);
    if (data == NULL) {
        return NULL;
    }
    PyObject *event = decode_data(run, data);
    Py_DECREF(data);
    return event;
}

/* 1 if `event` follows in its run, 0 with the rule's verdict if not, -1 with an exception set. */
static int
follows(Run *run, PyObject *event, PyObject **verdict)
{
    if (run->rule == Py_None) {
        return 1;
    }
    if (run->last_value > 0 && run->ids != BY_RULE) {
        /* As the rule, without a call and without reading the last id again. */
        long long value;
        PyObject *id = id_of(run->follow_options, event, &value);
        if (id != NULL && (run->ids == RISING ? value > run->last_value
                                              : value - 1 == run->last_value)) {
            Py_SETREF(run->last_id, id);
            run->last_value = value;
            return 1;
        }
        Py_XDECREF(id);
        if (PyErr_Occurred()) {
            return -1;
        }
    }
    PyObject *arguments[] = {run->last_id, event};
    PyObject *found = run->follow != NULL ? run->follow(run->follow_options, arguments, 2)
                                          : PyObject_Vectorcall(run->rule, arguments, 2, NULL);
    if (found == NULL) {
        return -1;
    }
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(found, &overflow);
    if (number == -1 && PyErr_Occurred()) {
        Py_DECREF(found);
        return -1;
    }
    if (overflow < 0 || (!overflow && number <= 0)) {
        *verdict = found;
        return 0;
    }
    Py_SETREF(run->last_id, found);
    run->last_value = overflow ? 0 : number;
    return 1;
}

/* Add to `made` what the fold of the run delivers for `event`, and have in `latest` what is last then;
   -1 with an exception set. */
static int
fold_one(const Run *run, PyObject *event, PyObject *made, PyObject **latest)
{
    if (run->once_options != NULL) {
        PyObject *seen = seen_with(run->once_options, *latest, event);
        int is_new = seen != NULL && seen != Py_None;
        int failed = seen == NULL || (is_new && (tell_seen(run->once_options, event, seen)
                                                 || PyList_Append(made, event)));
        Py_XDECREF(seen);
        if (!failed && is_new) {
            Py_SETREF(*latest, Py_NewRef(event));
        }
        return failed ? -1 : 0;
    }
    PyObject *arguments[] = {*latest, event};
    PyObject *found = PyObject_Vectorcall(run->fold, arguments, 2, NULL);
    if (found == NULL) {
        return -1;
    }
    if (!PyList_CheckExact(found)) {
        PyErr_SetString(PyExc_TypeError, "a fold returns a list");
        Py_DECREF(found);
        return -1;
    }
    Py_ssize_t count = PyList_GET_SIZE(found);
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < count; i++) {
        failed = PyList_Append(made, PyList_GET_ITEM(found, i));
    }
    if (!failed && count > 0) {
        Py_SETREF(*latest, Py_NewRef(PyList_GET_ITEM(found, count - 1)));
    }
    Py_DECREF(found);
    return failed;
}

enum { MOST_ALIKE = 64 };

/* The events of one time that were delivered: what a fold that is made here needs of a list, between
   whose events nobody else asks. Only the last one that is delivered is told then. */
typedef struct {
    int is_open;
    int is_dirty;
    long long time;
    Py_ssize_t count;
    long long known[MOST_ALIKE];
    PyObject *numbers[MOST_ALIKE];
} Alike;

/* Begins anew with none of them. */
static void
forget_alike(Alike *alike)
{
    while (alike->count > 0) {
        Py_DECREF(alike->numbers[--alike->count]);
    }
}

/* Notes one more, whose number is `value`. */
static void
note_alike(Alike *alike, PyObject *number, long long value)
{
    alike->known[alike->count] = value;
    alike->numbers[alike->count++] = Py_NewRef(number);
}

/* Tells the last event that was delivered what is known, and closes; -1 with an exception set. */
static int
close_alike(const Run *run, Alike *alike, PyObject *latest)
{
    int failed = 0;
    if (alike->is_dirty) {
        PyObject *seen = PyTuple_New(alike->count);
        for (Py_ssize_t i = 0; seen != NULL && i < alike->count; i++) {
            PyTuple_SetItem(seen, i, Py_NewRef(alike->numbers[i]));
        }
        failed = seen == NULL || tell_seen(run->once_options, latest, seen);
        Py_XDECREF(seen);
    }
    forget_alike(alike);
    alike->is_open = alike->is_dirty = 0;
    return failed ? -1 : 0;
}

/* Has in `alike` what `latest` knows; 0 if that is unusual, -1 with an exception set. */
static int
open_alike(const Run *run, Alike *alike, PyObject *latest)
{
    PyObject *time = NULL, *seen = NULL;
    int is_usual = 1;
    alike->time = -1;
    if (latest != Py_None) {
        time = once_field(run->once_options, ONCE_TIME, latest);
        seen = time == NULL ? NULL : once_field(run->once_options, ONCE_SEEN, latest);
        is_usual = seen == NULL ? -1
                                : value_of(time, &alike->time) && alike->time >= 0
                                      && PyTuple_CheckExact(seen)
                                      && PyTuple_GET_SIZE(seen) < MOST_ALIKE;
    }
    for (Py_ssize_t i = 0; is_usual > 0 && seen != NULL && i < PyTuple_GET_SIZE(seen); i++) {
        long long value;
        is_usual = value_of(PyTuple_GET_ITEM(seen, i), &value);
        if (is_usual) {
            note_alike(alike, PyTuple_GET_ITEM(seen, i), value);
        }
    }
    if (is_usual <= 0) {
        forget_alike(alike);
    }
    alike->is_open = is_usual > 0;
    Py_XDECREF(time);
    Py_XDECREF(seen);
    return is_usual;
}

/* 1 if `event` is delivered, 0 if it was; -1 with an exception set, or without if it is unusual. */
static int
is_new_alike(Alike *alike, PyObject *time, PyObject *number)
{
    long long when, value;
    if (!value_of(time, &when) || when < 0 || !value_of(number, &value)) {
        return -1;
    }
    if (when < alike->time) {
        return 0;
    }
    if (when == alike->time) {
        for (Py_ssize_t i = 0; i < alike->count; i++) {
            if (alike->known[i] == value) {
                return 0;
            }
        }
        if (alike->count == MOST_ALIKE) {
            return -1;
        }
    }
    else {
        forget_alike(alike);
        alike->time = when;
    }
    note_alike(alike, number, value);
    return 1;
}

/* As `is_new_alike`, of `event`, which comes behind `latest`; -2 with an exception set. */
static int
is_new_event(const Run *run, Alike *alike, PyObject *latest, PyObject *event)
{
    PyObject **number_place = place_of(run->once_fields, ONCE_ID, event);
    PyObject **time_place = place_of(run->once_fields, ONCE_TIME, event);
    if (alike->is_open && number_place != NULL && time_place != NULL) {
        return is_new_alike(alike, *time_place, *number_place);
    }
    if (once_look(run->once_options, event)
        || (!alike->is_open && open_alike(run, alike, latest) < 0)) {
        return -2;
    }
    if (!alike->is_open) {
        return -1;
    }
    PyObject *number = once_field(run->once_options, ONCE_ID, event);
    PyObject *time = number == NULL ? NULL : once_field(run->once_options, ONCE_TIME, event);
    int is_new = time == NULL ? -2 : is_new_alike(alike, time, number);
    Py_XDECREF(number);
    Py_XDECREF(time);
    return is_new;
}

/* As `fold_one` of each of the `events`, with a fold that is made here. */
static int
fold_list_once(const Run *run, PyObject *events, PyObject *made, PyObject **latest)
{
    Alike alike;
    alike.is_open = alike.is_dirty = 0;
    alike.count = 0;
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(events); i++) {
        PyObject *event = Py_NewRef(PyList_GET_ITEM(events, i));
        int is_new = is_new_event(run, &alike, *latest, event);
        failed = is_new == -2;
        if (is_new > 0) {
            alike.is_dirty = 1;
            failed = PyList_Append(made, event);
            Py_SETREF(*latest, Py_NewRef(event));
        }
        if (is_new == -1) {
            failed = close_alike(run, &alike, *latest) || fold_one(run, event, made, latest);
        }
        Py_DECREF(event);
    }
    if (failed) {
        forget_alike(&alike);
        return -1;
    }
    return close_alike(run, &alike, *latest);
}

/* What the fold of the run delivers for `event`, or for the events of a list, which it takes, as a
   list, and in `latest` what is last then; NULL with an exception set. */
static PyObject *
fold_all(const Run *run, PyObject *event, PyObject **latest)
{
    PyObject *made = PyList_New(0);
    int failed = made == NULL;
    *latest = Py_NewRef(run->latest);
    if (!failed && !PyList_CheckExact(event)) {
        failed = fold_one(run, event, made, latest);
    }
    else if (!failed && run->once_options != NULL) {
        failed = fold_list_once(run, event, made, latest);
    }
    else {
        for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(event); i++) {
            PyObject *each = Py_NewRef(PyList_GET_ITEM(event, i));
            failed = fold_one(run, each, made, latest);
            Py_DECREF(each);
        }
    }
    Py_DECREF(event);
    if (failed) {
        Py_CLEAR(made);
    }
    return made;
}

/* Stamps the events of `list` from `at` on, of which each follows, as far as their fields lie where
   those of the last one do; the index of the first that is left. No Python is called. */
static Py_ssize_t
run_through(const Order *order, Run *run, const Fields *stamps, PyObject *list, Py_ssize_t at)
{
    int is_ruled = run->rule != Py_None;
    if (is_ruled && (run->id_fields == NULL || run->last_value <= 0)) {
        return at;
    }
    PyObject *last_id = NULL;
    for (; at < PyList_GET_SIZE(list); at++) {
        PyObject *event = PyList_GET_ITEM(list, at);
        PyObject **received_ns = place_of(stamps, STAMP_RECEIVED_NS, event);
        PyObject **session = place_of(stamps, STAMP_SESSION, event);
        if (received_ns == NULL || session == NULL) {
            break;
        }
        if (is_ruled) {
            long long value;
            PyObject **id = place_of(run->id_fields, 0, event);
            if (id == NULL || !value_of(*id, &value) || value <= run->last_value
                || (run->ids == DENSE && value - 1 != run->last_value)) {
                break;
            }
            run->last_value = value;
            Py_XSETREF(last_id, Py_NewRef(*id));
        }
        Py_SETREF(*received_ns, Py_NewRef(order->received_ns));
        Py_SETREF(*session, Py_NewRef(order->session));
    }
    if (last_id != NULL) {
        Py_SETREF(run->last_id, last_id);
    }
    return at;
}

/* Append the events of one message to those of `order`: 1 if each follows, 0 with the list of them as
   it was if one does not, -1 with an exception set. */
static int
take_list(const Order *order, Run *run, Fields *stamps, PyObject *list)
{
    PyObject *last_id = Py_NewRef(run->last_id), *verdict = NULL;
    int goes_on = 1;
    for (Py_ssize_t i = run_through(order, run, stamps, list, 0);
         goes_on == 1 && i < PyList_GET_SIZE(list); i = run_through(order, run, stamps, list, i)) {
        PyObject *event = Py_NewRef(PyList_GET_ITEM(list, i++));
        goes_on = stamp(order, stamps, event) ? -1 : follows(run, event, &verdict);
        Py_DECREF(event);
    }
    Py_XDECREF(verdict);
    if (goes_on == 1) {
        Py_DECREF(last_id);
        Py_ssize_t end = PyList_GET_SIZE(order->events);
        return PyList_SetSlice(order->events, end, end, list) ? -1 : 1;
    }
    Py_SETREF(run->last_id, last_id);
    run->last_value = 0;
    return goes_on;
}

/* How far `take` went, and why not farther: see connector.feeds.hot_loop. */
typedef struct {
    Py_ssize_t taken;
    Intake *subscription;
    PyObject *event;
    int odd;
    PyObject *verdict;
} Outcome;

static void
forget_outcome(Outcome *outcome)
{
    Py_CLEAR(outcome->subscription);
    Py_CLEAR(outcome->event);
    Py_CLEAR(outcome->verdict);
}

static PyObject *
or_none(void *object)
{
    return object == NULL ? Py_None : (PyObject *)object;
}

/* Take messages as ordered; -1 with an exception set. */
static int
take_in_order(const Order *order, Outcome *outcome)
{
    Run run = {NULL};
    Fields stamps = {NULL};
    PyObject *prefix = NULL, *verdict = NULL, *event = NULL, *group = NULL, *latest = NULL,
             *name = NULL;
    int result = -1;
    Py_ssize_t taken = order->first, room = PY_SSIZE_T_MAX, prefix_size = 0, behind = 0;
    int odd = 0;
    while (taken - order->first < room && taken < PySequence_Fast_GET_SIZE(order->payloads)) {
        PyObject *message = PySequence_Fast_GET_ITEM(order->payloads, taken);
        if (!PyBytes_Check(message)) {
            PyErr_SetString(PyExc_TypeError, "a payload must be bytes");
            goto failed;
        }
        const char *payload = PyBytes_AS_STRING(message);
        Py_ssize_t size = PyBytes_GET_SIZE(message);
        int is_same = prefix != NULL && size >= prefix_size
                      && !memcmp(payload, PyBytes_AS_STRING(prefix), (size_t)prefix_size);
        /* Whatever is called from here on may let go of what it was called with. */
        Py_XSETREF(prefix, Py_NewRef(message));
        PyObject *named = is_same ? name : find_name(order, payload, size, name, &behind);
        if (named == NULL && PyErr_Occurred()) {
            goto failed;
        }
        if (named == NULL) {
            break;
        }
        if (!is_same) {
            is_same = named == name;
            Py_XSETREF(name, named);
        }
        if (!is_same) {
            Intake *found = find_stream(order, name);
            if (found == NULL) {
                if (PyErr_Occurred()) {
                    goto failed;
                }
                break;
            }
            int is_other = 0, failed = 0;
            if (group == NULL) {
                group = Py_NewRef(found->group);
                /* There is room for one event. */
                if (PySequence_Fast_GET_SIZE(order->payloads) - taken > 1) {
                    room = room_of(group);
                    failed = room < 0;
                }
                else {
                    room = NOT_ASKED;
                }
            }
            else {
                is_other = found->group != group;
            }
            if (!is_other && !failed) {
                end_run(&run);
                forget_run(&run);
                failed = begin_run(&run, found);
            }
            Py_DECREF(found);
            if (failed) {
                goto failed;
            }
            if (is_other) {
                break;
            }
        }
        prefix_size = behind;
        Py_XSETREF(event, decode(order, &run, prefix, behind));
        if (event == NULL) {
            if (!PyErr_ExceptionMatches(undecodable)) {
                goto failed;
            }
            PyErr_Clear();
            odd = 1;
            break;
        }
        if (run.fold != Py_None) {
            PyObject *said = event;
            Py_CLEAR(latest);
            event = fold_all(&run, said, &latest);
            if (event == NULL) {
                goto failed;
            }
        }
        int goes_on;
        if (PyList_CheckExact(event)) {
            Py_ssize_t count = PyList_GET_SIZE(event);
            if (room == NOT_ASKED && (room = room_of(group)) < 0) {
                goto failed;
            }
            if (count > room - (taken - order->first)) {
                break;
            }
            goes_on = take_list(order, &run, &stamps, event);
            if (goes_on == 0) {
                odd = 1;
                break;
            }
            if (goes_on > 0 && latest != NULL) {
                Py_SETREF(run.latest, latest);
                latest = NULL;
            }
            if (count > 0 || room < PY_SSIZE_T_MAX) {
                room -= count - 1;
            }
        }
        else {
            goes_on = stamp(order, &stamps, event) ? -1 : follows(&run, event, &verdict);
            if (goes_on > 0 && PyList_Append(order->events, event)) {
                goes_on = -1;
            }
        }
        if (goes_on < 0) {
            goto failed;
        }
        taken++;
        run.messages++;
        run.payload_bytes += size;
        if (!goes_on) {
            break;
        }
    }
    end_run(&run);
    result = 0;
    outcome->taken = taken;
    /* If not: nothing, or a list for which there is no room. */
    if (taken != order->first || odd) {
        outcome->subscription = run.subscription;
        outcome->event = event;
        outcome->odd = odd;
        outcome->verdict = verdict;
        run.subscription = NULL;
        event = verdict = NULL;
    }
failed:
    forget_run(&run);
    forget_fields(&stamps);
    Py_XDECREF(prefix);
    Py_XDECREF(event);
    Py_XDECREF(verdict);
    Py_XDECREF(group);
    Py_XDECREF(latest);
    Py_XDECREF(name);
    return result;
}

/* Reads the shape of messages into `order`; -1 with an exception set. */
static int
read_shape(Order *order, PyObject *shape)
{
    PyObject *parts;
    if (PyTuple_GET_SIZE(shape) != 3 || !PyTuple_Check(parts = PyTuple_GET_ITEM(shape, 0))
        || PyTuple_GET_SIZE(parts) > MOST_PARTS) {
        PyErr_SetString(PyExc_TypeError, "a shape is a tuple of parts, a bool and an int");
        return -1;
    }
    order->part_count = PyTuple_GET_SIZE(parts);
    for (Py_ssize_t i = 0; i < order->part_count; i++) {
        Part *part = &order->parts[i];
        PyObject *given = PyTuple_GET_ITEM(parts, i);
        if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != 3
            || !PyBytes_Check(part->before = PyTuple_GET_ITEM(given, 1))
            || !PyBytes_Check(part->after = PyTuple_GET_ITEM(given, 2))) {
            PyErr_SetString(PyExc_TypeError, "a part is an int and two times bytes");
            return -1;
        }
        part->offset = PyLong_AsSsize_t(PyTuple_GET_ITEM(given, 0));
        if (part->offset < -1) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_ValueError, "a part begins at -1, or is not negative");
            }
            return -1;
        }
    }
    order->whole = PyTuple_GET_ITEM(shape, 1) == Py_True;
    order->tail = PyErr_Occurred() ? -1 : count_of(PyTuple_GET_ITEM(shape, 2),
                                                   "a tail is not negative");
    return order->tail < 0 ? -1 : 0;
}

/* Reads what `take` and `take_and_put` are called with, but for the events; -1 with an exception
   set. Then `order->payloads` is held. */
static int
read_order(Order *order, PyObject *payloads, PyObject *first, PyObject *received_ns,
           PyObject *session, PyObject *streams, PyObject *shape)
{
    if (!PyDict_Check(streams) || !PyTuple_Check(shape)) {
        PyErr_SetString(PyExc_TypeError, "streams are a dict, a shape is a tuple");
        return -1;
    }
    order->first = count_of(first, "first is not negative");
    order->received_ns = received_ns;
    order->session = session;
    order->streams = streams;
    if (order->first < 0 || read_shape(order, shape)) {
        return -1;
    }
    order->payloads = PySequence_Fast(payloads, "payloads is a sequence");
    return order->payloads == NULL ? -1 : 0;
}

PyDoc_STRVAR(take_doc,
"take(payloads, first, received_ns, session, events, streams, shape)\n"
"--\n\nSee connector.feeds.hot_loop.");

static PyObject *
take(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Order order = {NULL};
    Outcome found = {0};
    if (count != 7 || !PyList_Check(args[4])) {
        PyErr_SetString(PyExc_TypeError, "take takes 7 arguments; the fifth is a list");
        return NULL;
    }
    order.events = args[4];
    if (read_order(&order, args[0], args[1], args[2], args[3], args[5], args[6])) {
        return NULL;
    }
    PyObject *result = NULL;
    if (!take_in_order(&order, &found)) {
        result = Py_BuildValue("nOOiO", found.taken, or_none(found.subscription),
                               or_none(found.event), found.odd, or_none(found.verdict));
    }
    forget_outcome(&found);
    Py_DECREF(order.payloads);
    return result;
}

/* The last of `events`, of `subscription`, if it says when it happened, else None; NULL with an
   exception set. */
static PyObject *
newest_timed(Intake *subscription, PyObject *events)
{
    /* By number, from behind: who was given the list may have taken from it. */
    PyObject *event = PySequence_GetItem(events, -1);
    if (event == NULL) {
        return NULL;
    }
    if (subscription->tells_time == Py_None) {
        PyObject *time = PyObject_GetAttr(event, name_exchange_time_ns);
        if (time == NULL) {
            Py_DECREF(event);
            return NULL;
        }
        Py_XSETREF(subscription->tells_time, Py_NewRef(time == Py_None ? Py_False : Py_True));
        Py_DECREF(time);
    }
    if (subscription->tells_time != Py_True) {
        Py_DECREF(event);
        return Py_NewRef(Py_None);
    }
    return event;
}

/* Hand the events to the buffers; as `newest_timed`. */
static PyObject *
put(Intake *subscription, PyObject *events)
{
    if (PyList_GET_SIZE(events) == 0) {
        return Py_NewRef(Py_None);
    }
    if (subscription->group == NULL || subscription->name == NULL) {
        PyErr_SetString(PyExc_AttributeError, "an attribute of a stream is not set");
        return NULL;
    }
    PyObject *group = Py_NewRef(subscription->group), *name = Py_NewRef(subscription->name);
    PyObject *arguments[] = {group, events, name};
    PyObject *done = PyObject_VectorcallMethod(name_put_run, arguments, 3, NULL);
    Py_DECREF(group);
    Py_DECREF(name);
    if (done == NULL) {
        return NULL;
    }
    Py_DECREF(done);
    return newest_timed(subscription, events);
}

PyDoc_STRVAR(take_and_put_doc,
"take_and_put(payloads, first, received_ns, session, streams, shape)\n"
"--\n\nSee connector.feeds.hot_loop.");

static PyObject *
take_and_put(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Order order = {NULL};
    Outcome found = {0};
    PyObject *timed = NULL, *unusual = NULL, *result = NULL;
    if (count != 6) {
        PyErr_SetString(PyExc_TypeError, "take_and_put takes 6 arguments");
        return NULL;
    }
    if (read_order(&order, args[0], args[1], args[2], args[3], args[4], args[5])) {
        return NULL;
    }
    order.events = PyList_New(0);
    if (order.events == NULL || take_in_order(&order, &found)) {
        goto failed;
    }
    timed = found.subscription ? put(found.subscription, order.events) : Py_NewRef(Py_None);
    if (timed == NULL) {
        goto failed;
    }
    if (found.subscription != NULL && !found.odd && found.verdict == NULL) {
        unusual = Py_NewRef(Py_None);
    }
    else {
        unusual = Py_BuildValue("OOiO", or_none(found.subscription), or_none(found.event),
                                found.odd, or_none(found.verdict));
    }
    PyObject *taken = PyLong_FromSsize_t(found.taken);
    if (taken != NULL && unusual != NULL) {
        result = PyTuple_Pack(3, taken, timed, unusual);
    }
    Py_XDECREF(taken);
failed:
    Py_XDECREF(timed);
    Py_XDECREF(unusual);
    forget_outcome(&found);
    Py_XDECREF(order.events);
    Py_DECREF(order.payloads);
    return result;
}

/* --- readers of frames (connector.exchanges.shortcuts) */

static void
free_fields(PyObject *held)
{
    Fields *fields = PyCapsule_GetPointer(held, NULL);
    forget_fields(fields);
    PyMem_Free(fields);
}

/* The `Fields` behind `count` options; NULL with an exception set. */
static Fields *
fields_of(PyObject *options, Py_ssize_t count)
{
    return PyCapsule_GetPointer(PyTuple_GET_ITEM(options, count), NULL);
}

/* Options, of which an empty text is None, and behind them `Fields`, as what `method` is bound to. */
static PyObject *
bind(PyMethodDef *method, PyObject *const *args, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted) {
        PyErr_Format(PyExc_TypeError, "%s takes %zd arguments", method->ml_name, wanted);
        return NULL;
    }
    Fields *fields = PyMem_Calloc(1, sizeof *fields);
    PyObject *held = fields == NULL ? PyErr_NoMemory() : PyCapsule_New(fields, NULL, free_fields);
    if (held == NULL) {
        PyMem_Free(fields);
        return NULL;
    }
    PyObject *options = PyTuple_New(wanted + 1);
    for (Py_ssize_t i = 0; options != NULL && i < wanted; i++) {
        int is_empty = PyUnicode_Check(args[i]) && PyUnicode_GetLength(args[i]) == 0;
        PyTuple_SetItem(options, i, Py_NewRef(is_empty ? Py_None : args[i]));
    }
    if (options == NULL) {
        Py_DECREF(held);
        return NULL;
    }
    PyTuple_SetItem(options, wanted, held);
    PyObject *bound = PyCFunction_NewEx(method, options, NULL);
    Py_DECREF(options);
    return bound;
}

enum { ROWS_DECODE, ROWS_NAMED, ROWS_OF, ROWS_ALONE, ROWS_KEEPS_FRAME, ROWS_ARRANGE,
       ROWS_WITHIN, ROWS_OPTIONS };

/* Whether two objects, texts nearly always, differ; -1 with an exception set. */
static int
is_other(PyObject *one, PyObject *other)
{
    if (one == other) {
        return 0;
    }
#ifndef Py_LIMITED_API
    if (PyUnicode_CheckExact(one) && PyUnicode_CheckExact(other) && PyUnicode_IS_COMPACT_ASCII(one)
        && PyUnicode_IS_COMPACT_ASCII(other)) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(one);
        return length != PyUnicode_GET_LENGTH(other)
               || memcmp(PyUnicode_DATA(one), PyUnicode_DATA(other), (size_t)length) != 0;
    }
#endif
    if (PyUnicode_CheckExact(one) && PyUnicode_CheckExact(other)) {
        int order = PyUnicode_Compare(one, other);
        return order == -1 && PyErr_Occurred() ? -1 : order != 0;
    }
    return PyObject_RichCompareBool(one, other, Py_NE);
}

enum { ROW_SYMBOL, ROW_FRAME, ROW_FIELDS };

/* What `row` is told; -1 with an exception set. */
static int
finish_row(PyObject *options, Fields *fields, PyObject *row, PyObject *frame, int several)
{
    PyObject *named = PyTuple_GET_ITEM(options, ROWS_NAMED);
    PyObject *of = PyTuple_GET_ITEM(options, ROWS_OF);
    PyObject *const names[] = {name_symbol, name_frame};
    if (look_at(fields, row, names, ROW_FIELDS)) {
        return -1;
    }
    if (named != Py_None && write_field(fields, ROW_SYMBOL, row, name_symbol, named)) {
        return -1;
    }
    if (PyTuple_GET_ITEM(options, ROWS_KEEPS_FRAME) == Py_True
        && write_field(fields, ROW_FRAME, row, name_frame, frame)) {
        return -1;
    }
    if (!several || of == Py_None) {
        return 0;
    }
    PyObject *symbol = read_field(fields, ROW_SYMBOL, row, name_symbol);
    int differs = symbol == NULL ? -1 : is_other(symbol, of);
    if (differs > 0) {
        PyErr_Format(invalid, "a row of %R in a frame of %R", symbol, of);
    }
    Py_XDECREF(symbol);
    return differs ? -1 : 0;
}

/* The one part in the list `field` of `said`, which it takes; NULL with an exception set. */
static PyObject *
only_part(PyObject *said, PyObject *field)
{
    PyObject *parts = PyObject_GetAttr(said, field), *part = NULL;
    Py_DECREF(said);
    if (parts == NULL) {
        return NULL;
    }
    if (!PyList_CheckExact(parts)) {
        PyErr_SetString(PyExc_TypeError, "parts are in a list");
    }
    else if (PyList_GET_SIZE(parts) != 1) {
        PyErr_Format(invalid, "%zd parts in a frame, not one", PyList_GET_SIZE(parts));
    }
    else {
        part = Py_NewRef(PyList_GET_ITEM(parts, 0));
    }
    Py_DECREF(parts);
    return part;
}

static PyObject *
read_rows(PyObject *options, PyObject *frame)
{
    PyObject *said = PyObject_CallOneArg(PyTuple_GET_ITEM(options, ROWS_DECODE), frame);
    if (said != NULL && PyTuple_GET_ITEM(options, ROWS_WITHIN) != Py_None) {
        said = only_part(said, PyTuple_GET_ITEM(options, ROWS_WITHIN));
    }
    PyObject *found = said == NULL ? NULL : PyObject_GetAttr(said, name_data);
    Py_XDECREF(said);
    if (found == NULL) {
        return NULL;
    }
    int is_list = PyList_CheckExact(found);
    if (!is_list && !PyTuple_CheckExact(found)) {
        PyErr_SetString(PyExc_TypeError, "rows are in a list or a tuple");
        Py_DECREF(found);
        return NULL;
    }
    Fields *fields = fields_of(options, ROWS_OPTIONS);
    if (fields == NULL) {
        Py_DECREF(found);
        return NULL;
    }
    int several = (is_list ? PyList_GET_SIZE(found) : PyTuple_GET_SIZE(found)) > 1;
    PyObject *of = PyTuple_GET_ITEM(options, ROWS_OF);
    int is_only_checked = several && PyUnicode_CheckExact(of)
                          && PyTuple_GET_ITEM(options, ROWS_NAMED) == Py_None
                          && PyTuple_GET_ITEM(options, ROWS_KEEPS_FRAME) != Py_True;
    for (Py_ssize_t i = 0; i < (is_list ? PyList_GET_SIZE(found) : PyTuple_GET_SIZE(found)); i++) {
        PyObject *row = is_list ? PyList_GET_ITEM(found, i) : PyTuple_GET_ITEM(found, i);
        PyObject **symbol = is_only_checked ? place_of(fields, ROW_SYMBOL, row) : NULL;
        if (symbol != NULL && PyUnicode_CheckExact(*symbol) && is_other(*symbol, of) == 0) {
            continue;
        }
        Py_INCREF(row);
        int failed = finish_row(options, fields, row, frame, several);
        Py_DECREF(row);
        if (failed) {
            Py_DECREF(found);
            return NULL;
        }
    }
    PyObject *arrange = PyTuple_GET_ITEM(options, ROWS_ARRANGE);
    if (several && arrange != Py_None) {
        PyObject *nothing = PyObject_CallOneArg(arrange, found);
        if (nothing == NULL) {
            Py_DECREF(found);
            return NULL;
        }
        Py_DECREF(nothing);
    }
    if (PyTuple_GET_ITEM(options, ROWS_ALONE) == Py_True
        && (is_list ? PyList_GET_SIZE(found) : PyTuple_GET_SIZE(found)) == 1) {
        PyObject *row = Py_NewRef(is_list ? PyList_GET_ITEM(found, 0) : PyTuple_GET_ITEM(found, 0));
        Py_DECREF(found);
        return row;
    }
    return found;
}

static PyMethodDef rows_method = {"rows", read_rows, METH_O, NULL};

PyDoc_STRVAR(rows_doc,
"rows(decode, named, of, alone, keeps_frame, arrange, within)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
rows(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&rows_method, args, count, ROWS_OPTIONS);
}

enum { TIMED_DECODE, TIMED_FIRST, TIMED_SECOND, TIMED_OPTIONS };

static PyObject *
read_timed(PyObject *options, PyObject *frame)
{
    PyObject *said = PyObject_CallOneArg(PyTuple_GET_ITEM(options, TIMED_DECODE), frame);
    if (said == NULL) {
        return NULL;
    }
    PyObject *event = PyObject_GetAttr(said, name_data);
    PyObject *time = NULL;
    int there = 0;
    for (int field = TIMED_FIRST; event != NULL && !there && field <= TIMED_SECOND; field++) {
        Py_XSETREF(time, PyObject_GetAttr(said, PyTuple_GET_ITEM(options, field)));
        there = time == NULL ? -1 : PyObject_IsTrue(time);
    }
    Py_DECREF(said);
    if (event != NULL && (there < 0 || PyObject_SetAttr(event, name_wire_time, time))) {
        Py_CLEAR(event);
    }
    Py_XDECREF(time);
    return event;
}

static PyMethodDef timed_method = {"timed", read_timed, METH_O, NULL};

PyDoc_STRVAR(timed_doc,
"timed(decode, first, second)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
timed(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&timed_method, args, count, TIMED_OPTIONS);
}

/* --- ids that follow (connector.exchanges.shortcuts) */

enum { RULE, FIELD, FILLED, RULE_OPTIONS, CHAINED_OPTIONS = 1 };

/* The id in the field at `i` of `event`, and in `value` its value if that is above 0 and fits; NULL
   without an exception if it has none, and with one. */
static PyObject *
id_in(const Fields *fields, int i, PyObject *event, PyObject *name, long long *value)
{
    PyObject *number = read_field(fields, i, event, name);
    *value = 0;
    if (number == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
        }
        return NULL;
    }
    if (!value_of(number, value) || *value < 0) {
        *value = 0;
    }
    return number;
}

/* What the rule says, where nothing is usual; takes `number`, or NULL perhaps with an exception. */
static PyObject *
ask_rule(PyObject *options, PyObject *const *args, PyObject *number)
{
    Py_XDECREF(number);
    if (PyErr_Occurred()) {
        return NULL;
    }
    return PyObject_Vectorcall(PyTuple_GET_ITEM(options, RULE), args, 2, NULL);
}

/* The last id, if there are two arguments and it is a usual one: else 0, or -1 with an exception. */
static long long
last_id_in(PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "a rule takes 2 arguments");
        return -1;
    }
    int overflow;
    long long last = PyLong_AsLongLongAndOverflow(args[0], &overflow);
    if (last == -1 && PyErr_Occurred()) {
        return -1;
    }
    return overflow || last < 0 ? 0 : last;
}

/* Where the rule finds an id; NULL if it looks at more than that, or with an exception set. */
static const Fields *
id_fields(PyObject *options)
{
    return PyTuple_GET_ITEM(options, FILLED) == Py_None ? fields_of(options, RULE_OPTIONS) : NULL;
}

/* The id of `event` in the rule's field, as `id_in`; without a value where another field that must be
   filled is not. */
static PyObject *
id_of(PyObject *options, PyObject *event, long long *value)
{
    PyObject *const names[] = {PyTuple_GET_ITEM(options, FIELD), PyTuple_GET_ITEM(options, FILLED)};
    Fields *fields = fields_of(options, RULE_OPTIONS);
    *value = 0;
    if (fields == NULL || look_at(fields, event, names, 2)) {
        return NULL;
    }
    PyObject *number = id_in(fields, 0, event, names[0], value);
    if (number == NULL || names[1] == Py_None) {
        return number;
    }
    PyObject *filled = read_field(fields, 1, event, names[1]);
    int is_filled = filled == NULL ? -1 : PyObject_IsTrue(filled);
    Py_XDECREF(filled);
    if (is_filled < 0) {
        Py_DECREF(number);
        return NULL;
    }
    if (!is_filled) {
        *value = 0;
    }
    return number;
}

static PyObject *
follow_rising(PyObject *options, PyObject *const *args, Py_ssize_t count)
{
    long long value, last = last_id_in(args, count);
    if (last <= 0) {
        return last < 0 ? NULL : ask_rule(options, args, NULL);
    }
    PyObject *number = id_of(options, args[1], &value);
    return number != NULL && value > last ? number : ask_rule(options, args, number);
}

static PyObject *
follow_dense(PyObject *options, PyObject *const *args, Py_ssize_t count)
{
    long long value, last = last_id_in(args, count);
    if (last <= 0) {
        return last < 0 ? NULL : ask_rule(options, args, NULL);
    }
    PyObject *number = id_of(options, args[1], &value);
    return number != NULL && value - 1 == last ? number : ask_rule(options, args, number);
}

static PyObject *
follow_chained(PyObject *options, PyObject *const *args, Py_ssize_t count)
{
    long long value, last = last_id_in(args, count);
    if (last <= 0) {
        return last < 0 ? NULL : ask_rule(options, args, NULL);
    }
    PyObject *const names[] = {name_previous_update_id, name_last_update_id};
    Fields *fields = fields_of(options, CHAINED_OPTIONS);
    if (fields == NULL || look_at(fields, args[1], names, 2)) {
        return NULL;
    }
    PyObject *before = id_in(fields, 0, args[1], name_previous_update_id, &value);
    if (before == NULL || value != last) {
        return ask_rule(options, args, before);
    }
    Py_DECREF(before);
    PyObject *number = id_in(fields, 1, args[1], name_last_update_id, &value);
    return number != NULL && value > 0 ? number : ask_rule(options, args, number);
}

/* What is called for `rule` if it is one of these, else NULL. */
static Bound
bound_rule(PyObject *rule)
{
    PyCFunction function = PyCFunction_Check(rule) ? PyCFunction_GetFunction(rule) : NULL;
    Bound bound = (Bound)(void (*)(void))function;
    return bound == follow_rising || bound == follow_dense || bound == follow_chained ? bound : NULL;
}

/* --- rows in order (connector.exchanges.shortcuts) */

enum { ARRANGE, ARRANGE_FIRST, ARRANGE_SECOND, ARRANGE_OPTIONS };
enum { IN_ORDER, BACKWARDS, OTHERWISE };

/* The integers in the one or two fields of `row`; 0 if they are none that fit, -1 with an exception
   set. */
static int
keys_of(PyObject *options, Fields *fields, PyObject *row, long long *keys)
{
    PyObject *const names[] = {PyTuple_GET_ITEM(options, ARRANGE_FIRST),
                               PyTuple_GET_ITEM(options, ARRANGE_SECOND)};
    PyObject **first = place_of(fields, 0, row);
    if (first != NULL && names[1] == Py_None) {
        keys[1] = 0;
        return value_of(*first, keys);
    }
    if (look_at(fields, row, names, 2)) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        keys[i] = 0;
        if (names[i] == Py_None) {
            continue;
        }
        PyObject *key = read_field(fields, i, row, names[i]);
        if (key == NULL) {
            return -1;
        }
        int overflow = !PyLong_CheckExact(key);
        if (!overflow) {
            keys[i] = PyLong_AsLongLongAndOverflow(key, &overflow);
        }
        Py_DECREF(key);
        if (overflow) {
            return 0;
        }
    }
    return 1;
}

/* How `rows` stand: none before a smaller one, each before a smaller one, or neither; -1 with an
   exception set. */
static int
order_of(PyObject *options, PyObject *rows)
{
    int rising = 1, falling = 1;
    Fields *fields = fields_of(options, ARRANGE_OPTIONS);
    if (fields == NULL) {
        return -1;
    }
    long long last[2] = {0}, keys[2];
    for (Py_ssize_t i = 0; (rising || falling) && i < PyList_GET_SIZE(rows); i++) {
        PyObject *row = Py_NewRef(PyList_GET_ITEM(rows, i));
        int known = keys_of(options, fields, row, keys);
        Py_DECREF(row);
        if (known <= 0) {
            return known < 0 ? -1 : OTHERWISE;
        }
        if (i > 0) {
            int first = keys[0] != last[0] ? 0 : 1;
            rising &= keys[first] >= last[first];
            falling &= keys[first] < last[first];
        }
        memcpy(last, keys, sizeof last);
    }
    return rising ? IN_ORDER : falling ? BACKWARDS : OTHERWISE;
}

static PyObject *
arrange_rows(PyObject *options, PyObject *rows)
{
    int order = PyList_CheckExact(rows) ? order_of(options, rows) : OTHERWISE;
    if (order < 0) {
        return NULL;
    }
    if (order == OTHERWISE) {
        return PyObject_CallOneArg(PyTuple_GET_ITEM(options, ARRANGE), rows);
    }
    if (order == BACKWARDS && PyList_Reverse(rows)) {
        return NULL;
    }
    return Py_NewRef(Py_None);
}

static PyMethodDef arranged_method = {"arranged", arrange_rows, METH_O, NULL};

PyDoc_STRVAR(arranged_doc,
"arranged(arrange, first, second)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
arranged(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&arranged_method, args, count, ARRANGE_OPTIONS);
}

/* --- numbers of messages, and sides of a book (connector.exchanges.shortcuts) */

enum { NUMBER_RULE, NUMBER_MARKER, NUMBER_WITHIN, NUMBER_OPTIONS };
enum { MOST_DIGITS = 18 };

/* What stands behind the marker in `frame`, where it stands near the front and has few digits and a
   comma behind them; if not, what the other way says. */
static PyObject *
read_number(PyObject *options, PyObject *frame)
{
    PyObject *marker = PyTuple_GET_ITEM(options, NUMBER_MARKER);
    Py_ssize_t within = PyLong_AsSsize_t(PyTuple_GET_ITEM(options, NUMBER_WITHIN));
    if (within == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (PyBytes_CheckExact(frame) && PyBytes_CheckExact(marker)) {
        const char *data = PyBytes_AS_STRING(frame);
        Py_ssize_t size = PyBytes_GET_SIZE(frame);
        Py_ssize_t at = find(data, size < within ? size : within, 0, PyBytes_AS_STRING(marker),
                             PyBytes_GET_SIZE(marker));
        if (at >= 0) {
            long long number = 0;
            Py_ssize_t begin = at += PyBytes_GET_SIZE(marker);
            while (at < size && at - begin < MOST_DIGITS && data[at] >= '0' && data[at] <= '9') {
                number = number * 10 + (data[at++] - '0');
            }
            if (at > begin && at < size && data[at] == ',') {
                return PyLong_FromLongLong(number);
            }
        }
    }
    return PyObject_CallOneArg(PyTuple_GET_ITEM(options, NUMBER_RULE), frame);
}

static PyMethodDef numbered_method = {"numbered", read_number, METH_O, NULL};

PyDoc_STRVAR(numbered_doc,
"numbered(number, marker, within)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
numbered(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&numbered_method, args, count, NUMBER_OPTIONS);
}

PyDoc_STRVAR(consecutive_doc,
"consecutive(number, payloads, first, last)\n--\n\nSee connector.exchanges.shortcuts.");

/* Whether `number` is `last` + 1; -1 with an exception set. */
static int
is_next(PyObject *last, PyObject *number)
{
    long long before, value;
    if (value_of(last, &before) && value_of(number, &value) && value > 0) {
        return value - 1 == before;
    }
    PyObject *one = PyLong_FromLong(1), *next = one == NULL ? NULL : PyNumber_Add(last, one);
    int found = next == NULL ? -1 : PyObject_RichCompareBool(number, next, Py_EQ);
    Py_XDECREF(next);
    Py_XDECREF(one);
    return found;
}

static PyObject *
consecutive(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "consecutive takes 4 arguments");
        return NULL;
    }
    Py_ssize_t at = count_of(args[2], "first is not negative");
    PyObject *payloads = at < 0 ? NULL : PySequence_Fast(args[1], "payloads is a sequence");
    if (payloads == NULL) {
        return NULL;
    }
    PyObject *last = Py_NewRef(args[3]);
    int goes_on = 1;
    for (; at < PySequence_Fast_GET_SIZE(payloads); at++) {
        PyObject *payload = Py_NewRef(PySequence_Fast_GET_ITEM(payloads, at));
        PyObject *number = PyObject_CallOneArg(args[0], payload);
        Py_DECREF(payload);
        if (number == NULL) {
            goes_on = -1;
            break;
        }
        if (number == Py_None) {
            Py_DECREF(number);
            continue;
        }
        goes_on = last == Py_None ? 1 : is_next(last, number);
        Py_SETREF(last, number);
        if (goes_on <= 0) {
            break;
        }
    }
    Py_DECREF(last);
    Py_DECREF(payloads);
    return goes_on < 0 ? NULL : PyLong_FromSsize_t(at);
}

PyDoc_STRVAR(split_doc, "split(rows, kind)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
split(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "split(list, type)");
        return NULL;
    }
    PyObject *ours = PyList_New(0), *others = PyList_New(0), *pair = NULL;
    int failed = ours == NULL || others == NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *row = PyList_GET_ITEM(args[0], i);
        failed = PyList_Append((PyObject *)Py_TYPE(row) == args[1] ? ours : others, row);
    }
    if (!failed) {
        pair = PyTuple_Pack(2, ours, others);
    }
    Py_XDECREF(ours);
    Py_XDECREF(others);
    return pair;
}

/* --- events that are delivered once (connector.exchanges.shortcuts) */

/* Where the fields of the fold are; NULL with an exception set. */
static const Fields *
once_fields(PyObject *options)
{
    return fields_of(options, ONCE_OPTIONS);
}

/* As `look_at`, for the fields of the fold. */
static int
once_look(PyObject *options, PyObject *event)
{
    PyObject *const names[] = {PyTuple_GET_ITEM(options, ONCE_TIME),
                               PyTuple_GET_ITEM(options, ONCE_ID),
                               PyTuple_GET_ITEM(options, ONCE_SEEN)};
    Fields *fields = fields_of(options, ONCE_OPTIONS);
    return fields == NULL ? -1 : look_at(fields, event, names, ONCE_OPTIONS);
}

/* One of them; NULL with an exception set. */
static PyObject *
once_field(PyObject *options, int field, PyObject *event)
{
    Fields *fields = fields_of(options, ONCE_OPTIONS);
    PyObject *name = PyTuple_GET_ITEM(options, field);
    return fields == NULL ? NULL : read_field(fields, field, event, name);
}

/* How two times stand: below 0 if `one` is before `other`, above it if behind; `failed` is set with an
   exception. */
static int
order_of_times(PyObject *one, PyObject *other, int *failed)
{
    if (PyLong_CheckExact(one) && PyLong_CheckExact(other)) {
        int high, low;
        long long first = PyLong_AsLongLongAndOverflow(one, &high),
                  second = PyLong_AsLongLongAndOverflow(other, &low);
        if (!high && !low) {
            return (first > second) - (first < second);
        }
    }
    int later = PyObject_RichCompareBool(one, other, Py_GT);
    int earlier = later ? 0 : PyObject_RichCompareBool(one, other, Py_LT);
    *failed = later < 0 || earlier < 0;
    return later - earlier;
}

/* What `event` is to know as delivered of its time when `last` was delivered last: None if it was
   itself, NULL with an exception set. */
static PyObject *
seen_with(PyObject *options, PyObject *last, PyObject *event)
{
    if (once_look(options, event)) {
        return NULL;
    }
    PyObject *number = once_field(options, ONCE_ID, event);
    if (number == NULL) {
        return NULL;
    }
    PyObject *before = NULL, *now = NULL, *known = NULL, *alone = NULL, *seen = NULL;
    int failed = 0, order = 1;
    if (last != Py_None) {
        before = once_field(options, ONCE_TIME, last);
        now = before == NULL ? NULL : once_field(options, ONCE_TIME, event);
        failed = now == NULL;
        order = failed ? 0 : order_of_times(now, before, &failed);
    }
    if (failed) {
        goto done;
    }
    if (order > 0) {
        seen = PyTuple_Pack(1, number);
        goto done;
    }
    if (order < 0) {
        seen = Py_NewRef(Py_None);
        goto done;
    }
    known = once_field(options, ONCE_SEEN, last);
    int is_known = known == NULL ? -1 : PySequence_Contains(known, number);
    if (is_known > 0) {
        seen = Py_NewRef(Py_None);
    }
    if (is_known == 0 && (alone = PyTuple_Pack(1, number)) != NULL) {
        seen = PySequence_Concat(known, alone);
    }
done:
    Py_XDECREF(alone);
    Py_XDECREF(known);
    Py_XDECREF(now);
    Py_XDECREF(before);
    Py_DECREF(number);
    return seen;
}

/* Writes what `seen_with` said into `event`; -1 with an exception set. */
static int
tell_seen(PyObject *options, PyObject *event, PyObject *seen)
{
    Fields *fields = fields_of(options, ONCE_OPTIONS);
    return fields == NULL ? -1
                          : write_field(fields, ONCE_SEEN, event,
                                        PyTuple_GET_ITEM(options, ONCE_SEEN), seen);
}

static PyObject *
fold_once(PyObject *options, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "a fold takes 2 arguments");
        return NULL;
    }
    PyObject *seen = seen_with(options, args[0], args[1]);
    if (seen == NULL) {
        return NULL;
    }
    int is_new = seen != Py_None;
    int failed = is_new && tell_seen(options, args[1], seen);
    Py_DECREF(seen);
    PyObject *made = failed ? NULL : PyList_New(is_new);
    if (made != NULL && is_new) {
        PyList_SetItem(made, 0, Py_NewRef(args[1]));
    }
    return made;
}

/* Whether `fold` is such a fold. */
static int
is_once(PyObject *fold)
{
    return PyCFunction_Check(fold)
           && PyCFunction_GetFunction(fold) == (PyCFunction)(void (*)(void))fold_once;
}

static PyMethodDef once_method = {
    "once", (PyCFunction)(void (*)(void))fold_once, METH_FASTCALL, NULL};

PyDoc_STRVAR(once_doc, "once(time, number, seen)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
once(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&once_method, args, count, ONCE_OPTIONS);
}

static PyMethodDef rising_method = {
    "rising", (PyCFunction)(void (*)(void))follow_rising, METH_FASTCALL, NULL};
static PyMethodDef dense_method = {
    "dense", (PyCFunction)(void (*)(void))follow_dense, METH_FASTCALL, NULL};
static PyMethodDef chained_method = {
    "chained", (PyCFunction)(void (*)(void))follow_chained, METH_FASTCALL, NULL};

PyDoc_STRVAR(rising_doc, "rising(rule, field, filled)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
rising(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&rising_method, args, count, RULE_OPTIONS);
}

PyDoc_STRVAR(dense_doc, "dense(rule, field, filled)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
dense(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&dense_method, args, count, RULE_OPTIONS);
}

PyDoc_STRVAR(chained_doc, "chained(rule)\n--\n\nSee connector.exchanges.shortcuts.");

static PyObject *
chained(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return bind(&chained_method, args, count, CHAINED_OPTIONS);
}

/* --- from a buffer to its consumer (connector.feeds.handover) */

/* The base of `Buffer`. */
typedef struct {
    PyObject_HEAD
    char blocking;
} Holder;

static PyMemberDef holder_members[] = {
    {"blocking", T_BOOL, offsetof(Holder, blocking), 0, NULL},
    {NULL},
};

static void
free_holder(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(holder);
    Py_DECREF(type);
}

static PyType_Slot holder_slots[] = {
    {Py_tp_doc, "See connector.feeds.handover."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, free_holder},
    {Py_tp_members, holder_members},
    {0, NULL},
};

static PyType_Spec holder_spec = {
    .name = "connector.transport._speedups.Holder",
    .basicsize = sizeof(Holder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = holder_slots,
};

/* The base of `Feed`. */
typedef struct {
    PyObject_HEAD
    PyObject *buffer;
    PyObject *items;
    PyObject *pop;
    PyObject *observe;
    char waits_plainly;
    void *spare; /* the memory of a step that is over, for the next one */
} Handover;

/* A step of ``async for`` that finds an item: a coroutine, of those that never wait. */
typedef struct {
    PyObject_HEAD
    Handover *handover;
    int is_over; /* for it gives one item, however often it is awaited */
    PyObject *waiting; /* the coroutine that it has become, if somebody has taken the item */
} Step;

/* Made once. */
static PyTypeObject *holder_type, *handover_type, *step_type, *wait_type;

static PyObject *make_wait(Handover *handover);

static PyMemberDef handover_members[] = {
    {"buffer", T_OBJECT_EX, offsetof(Handover, buffer), 0, NULL},
    {"_items", T_OBJECT_EX, offsetof(Handover, items), 0, NULL},
    {"_pop", T_OBJECT_EX, offsetof(Handover, pop), 0, NULL},
    {"_observe_since", T_OBJECT_EX, offsetof(Handover, observe), 0, NULL},
    {"_waits_plainly", T_BOOL, offsetof(Handover, waits_plainly), 0, NULL},
    {NULL},
};

static int
traverse_handover(Handover *handover, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)handover));
    Py_VISIT(handover->buffer);
    Py_VISIT(handover->items);
    Py_VISIT(handover->pop);
    Py_VISIT(handover->observe);
    return 0;
}

static int
clear_handover(Handover *handover)
{
    Py_CLEAR(handover->buffer);
    Py_CLEAR(handover->items);
    Py_CLEAR(handover->pop);
    Py_CLEAR(handover->observe);
    return 0;
}

static void
free_handover(Handover *handover)
{
    PyTypeObject *type = Py_TYPE((PyObject *)handover);
    PyObject_GC_UnTrack(handover);
    clear_handover(handover);
    PyObject_Free(handover->spare);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(handover);
    Py_DECREF(type);
}

/* Whether an item can be taken at once; -1 with an exception set. */
static int
has_item(Handover *handover)
{
    if (handover->pop == NULL || handover->pop == Py_None || handover->items == NULL) {
        return 0;
    }
    Py_ssize_t count = PyObject_Size(handover->items);
    return count < 0 ? -1 : count > 0;
}

/* Whether what is waited for is an item of the buffer, and nothing else is to be asked. */
static int
may_wait_plainly(Handover *handover)
{
    return handover->waits_plainly && handover->pop != NULL && handover->pop != Py_None
           && handover->items != NULL && handover->buffer != NULL && handover->observe != NULL;
}

/* ``feed.__anext__()`` */
static PyObject *
next_step(Handover *handover)
{
    int found = has_item(handover);
    if (found <= 0) {
        return found < 0                     ? NULL
               : may_wait_plainly(handover) ? make_wait(handover)
                                            : PyObject_CallMethodNoArgs((PyObject *)handover, name_next);
    }
    Step *step = handover->spare;
    if (step != NULL) {
        handover->spare = NULL;
        PyObject_Init((PyObject *)step, step_type);
    }
    else if ((step = PyObject_New(Step, step_type)) == NULL) {
        return NULL;
    }
    step->handover = (Handover *)Py_NewRef((PyObject *)handover);
    step->is_over = 0;
    step->waiting = NULL;
    return (PyObject *)step;
}

static PyType_Slot handover_slots[] = {
    {Py_tp_doc, "See connector.feeds.handover."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, free_handover},
    {Py_tp_traverse, traverse_handover},
    {Py_tp_clear, clear_handover},
    {Py_tp_members, handover_members},
    {Py_am_anext, next_step},
    {0, NULL},
};

static PyType_Spec handover_spec = {
    .name = "connector.transport._speedups.Handover",
    .basicsize = sizeof(Handover),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = handover_slots,
};

static void
free_step(Step *step)
{
    PyTypeObject *type = Py_TYPE((PyObject *)step);
    Handover *handover = step->handover;
    Py_CLEAR(step->waiting);
    if (handover->spare == NULL) {
        handover->spare = step;
    }
    else {
        PyObject_Free(step);
    }
    Py_DECREF((PyObject *)handover);
    Py_DECREF(type);
}

/* What ``await`` runs: the step itself, or the coroutine of one that waits, where somebody has taken
   the item between ``__anext__()`` and ``await``. `anext(feed, default)` asks at every resumption,
   and must get the same coroutine. */
static PyObject *
await_step(Step *step)
{
    if (step->waiting == NULL) {
        int found = step->is_over ? 1 : has_item(step->handover);
        if (found) {
            return found < 0 ? NULL : Py_NewRef((PyObject *)step);
        }
        step->is_over = 1;
        step->waiting = PyObject_CallMethodNoArgs((PyObject *)step->handover, name_next);
        if (step->waiting == NULL) {
            return NULL;
        }
    }
    return PyObject_CallMethodNoArgs(step->waiting, name_await);
}

static PyObject *
refuse_reuse(void)
{
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return NULL;
}

/* A feed without an attribute is refused: -1. */
static int
refuse_unset(void)
{
    PyErr_SetString(PyExc_AttributeError, "an attribute of a feed is not set");
    return -1;
}

/* The first item; NULL with an exception set. */
static PyObject *
take_first(Handover *handover)
{
    if (handover->pop == NULL || handover->buffer == NULL) {
        refuse_unset();
        return NULL;
    }
    /* Held: what is called may give the feed others. */
    PyObject *pop = Py_NewRef(handover->pop), *item = PyObject_CallNoArgs(pop);
    Py_DECREF(pop);
    PyObject *buffer = item == NULL ? NULL : handover->buffer;
    if (buffer == NULL || !PyObject_TypeCheck(buffer, holder_type)
        || !((Holder *)buffer)->blocking) {
        return item;
    }
    Py_INCREF(buffer);
    PyObject *done = PyObject_CallMethodNoArgs(buffer, name_unblock);
    Py_DECREF(buffer);
    if (done == NULL) {
        Py_CLEAR(item);
    }
    Py_XDECREF(done);
    return item;
}

/* The item of `step`; NULL with an exception set. */
static PyObject *
take_item(Step *step)
{
    if (step->is_over) {
        return refuse_reuse();
    }
    step->is_over = 1;
    return take_first(step->handover);
}

static PySendResult
send_to_step(Step *step, PyObject *sent, PyObject **result)
{
    *result = take_item(step);
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

/* Ends an iteration with `item`, which it takes: NULL with an exception set. */
static PyObject *
stop_with(PyObject *item)
{
    /* Made here: what is raised with a tuple or an exception would be another one. */
    PyObject *stop = item == NULL ? NULL : PyObject_CallOneArg(PyExc_StopIteration, item);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
    }
    Py_XDECREF(stop);
    Py_XDECREF(item);
    return NULL;
}

/* As `send_to_step`, for who iterates. */
static PyObject *
iterate_step(Step *step)
{
    return stop_with(take_item(step));
}

/* ``step.send(None)`` */
static PyObject *
send_by_name(Step *step, PyObject *sent)
{
    return iterate_step(step);
}

/* Raises what ``throw(error)`` is called with, or with its type, and a value of it. */
static PyObject *
raise_thrown(int *is_over, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    if (*is_over) {
        return refuse_reuse();
    }
    *is_over = 1;
    if (PyExceptionInstance_Check(args[0])) {
        PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    }
    else if (PyExceptionClass_Check(args[0])) {
        PyErr_SetObject(args[0], count > 1 ? args[1] : NULL);
    }
    else {
        PyErr_SetString(PyExc_TypeError, "what is thrown is an exception");
    }
    return NULL;
}

static PyObject *
throw_into_step(Step *step, PyObject *const *args, Py_ssize_t count)
{
    return raise_thrown(&step->is_over, args, count);
}

/* ``step.close()``: it takes nothing any more. */
static PyObject *
close_step(Step *step, PyObject *nothing)
{
    step->is_over = 1;
    return Py_NewRef(Py_None);
}

static PyMethodDef step_methods[] = {
    {"send", (PyCFunction)send_by_name, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))throw_into_step, METH_FASTCALL, NULL},
    {"close", (PyCFunction)close_step, METH_NOARGS, NULL},
    {NULL},
};

static PyType_Slot step_slots[] = {
    {Py_tp_doc, "See connector.feeds.handover."},
    {Py_tp_dealloc, free_step},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterate_step},
    {Py_am_await, await_step},
    {Py_am_send, send_to_step},
    {Py_tp_methods, step_methods},
    {0, NULL},
};

static PyType_Spec step_spec = {
    .name = "connector.transport._speedups.Step",
    .basicsize = sizeof(Step),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = step_slots,
};

/* A step of ``async for`` that finds nothing: the coroutine of `Feed._next`, with a coroutine less
   between the wake-up and the consumer. */
typedef struct {
    PyObject_HEAD
    Handover *handover;
    PyObject *inner; /* what it awaits: until an item comes, or `Feed._next` if something else did */
    int is_delegated; /* to `Feed._next` */
    int has_waited;
    int is_running;
    int is_over;
} Wait;

static PyObject *
make_wait(Handover *handover)
{
    Wait *wait = PyObject_GC_New(Wait, wait_type);
    if (wait == NULL) {
        return NULL;
    }
    wait->handover = (Handover *)Py_NewRef((PyObject *)handover);
    wait->inner = NULL;
    wait->is_delegated = wait->has_waited = wait->is_running = wait->is_over = 0;
    PyObject_GC_Track(wait);
    return (PyObject *)wait;
}

static int
traverse_wait(Wait *wait, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)wait));
    Py_VISIT(wait->handover);
    Py_VISIT(wait->inner);
    return 0;
}

static int
clear_wait(Wait *wait)
{
    wait->is_over = 1;
    Py_CLEAR(wait->inner);
    return 0; /* the handover clears itself, and is needed as long as this is there */
}

static void
free_wait(Wait *wait)
{
    PyTypeObject *type = Py_TYPE((PyObject *)wait);
    PyObject_GC_UnTrack(wait);
    clear_wait(wait);
    Py_DECREF((PyObject *)wait->handover);
    PyObject_GC_Del(wait);
    Py_DECREF(type);
}

/* Tell how long the first item has waited for its consumer; -1 with an exception set. */
static int
observe_first(Handover *handover)
{
    if (handover->observe == Py_None) {
        return 0;
    }
    if (handover->observe == NULL) {
        return refuse_unset();
    }
    PyObject *observe = Py_NewRef(handover->observe);
    PyObject *first = PySequence_GetItem(handover->items, 0);
    PyObject *since = first == NULL ? NULL : PyObject_GetAttr(first, name_received_ns);
    Py_XDECREF(first);
    int is_known = since == NULL ? -1 : PyObject_IsTrue(since);
    PyObject *done = is_known > 0 ? PyObject_CallOneArg(observe, since) : NULL;
    int failed = is_known < 0 || (is_known && done == NULL);
    Py_XDECREF(done);
    Py_XDECREF(since);
    Py_DECREF(observe);
    return failed ? -1 : 0;
}

/* Have in `inner` what to await: what the buffer says, or `Feed._next`, which knows what else there
   is than an item; -1 with an exception set. */
static int
begin_inner(Wait *wait)
{
    Handover *handover = wait->handover;
    if (may_wait_plainly(handover)) {
        PyObject *buffer = Py_NewRef(handover->buffer);
        wait->inner = PyObject_CallMethodNoArgs(buffer, name_wait_for_item);
        Py_DECREF(buffer);
        if (wait->inner != Py_None) {
            return wait->inner == NULL ? -1 : 0;
        }
        Py_CLEAR(wait->inner);
    }
    wait->is_delegated = 1;
    wait->inner = PyObject_CallMethodNoArgs((PyObject *)handover, name_next);
    return wait->inner == NULL ? -1 : 0;
}

/* An interrupt before the task was left has to leave no waiter behind. */
static void
let_go(Handover *handover)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = handover->buffer == NULL
                         ? NULL
                         : PyObject_CallMethodNoArgs(handover->buffer, name_let_go);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
}

/* Whether it runs already, as what it calls may find out; then with an exception set. */
static int
refuse_running(Wait *wait)
{
    if (wait->is_running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    }
    return wait->is_running;
}

static PySendResult
send_to_wait(Wait *wait, PyObject *sent, PyObject **result)
{
    *result = NULL;
    if (refuse_running(wait)) {
        return PYGEN_ERROR;
    }
    if (wait->is_over) {
        refuse_reuse();
        return PYGEN_ERROR;
    }
    PySendResult state = PYGEN_ERROR;
    /* Held: what runs may let go of the step. */
    Py_INCREF((PyObject *)wait);
    wait->is_running = 1;
    while (1) {
        int begins = wait->inner == NULL;
        if (begins) {
            int found = has_item(wait->handover);
            if (found > 0) {
                if (!wait->has_waited || !observe_first(wait->handover)) {
                    *result = take_first(wait->handover);
                }
                state = *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
                break;
            }
            if (found < 0 || begin_inner(wait)) {
                break;
            }
        }
        PyObject *inner = Py_NewRef(wait->inner);
        state = PyIter_Send(inner, begins ? Py_None : sent, result);
        Py_DECREF(inner);
        if (state == PYGEN_ERROR && begins && !wait->is_delegated) {
            let_go(wait->handover);
        }
        if (state != PYGEN_RETURN || wait->is_delegated) {
            break;
        }
        Py_CLEAR(*result);
        Py_CLEAR(wait->inner);
        wait->has_waited = 1;
        state = PYGEN_ERROR;
    }
    wait->is_running = 0;
    if (state != PYGEN_NEXT) {
        clear_wait(wait);
    }
    Py_DECREF((PyObject *)wait);
    return state;
}

/* What it yields; NULL with an exception set. */
static PyObject *
send_by_name_to_wait(Wait *wait, PyObject *sent)
{
    PyObject *result;
    PySendResult state = send_to_wait(wait, sent, &result);
    return state == PYGEN_RETURN ? stop_with(result) : result;
}

static PyObject *
iterate_wait(Wait *wait)
{
    return send_by_name_to_wait(wait, Py_None);
}

static PyObject *
throw_into_wait(Wait *wait, PyObject *const *args, Py_ssize_t count)
{
    if (refuse_running(wait)) {
        return NULL;
    }
    if (wait->inner == NULL || wait->is_over) {
        return raise_thrown(&wait->is_over, args, count);
    }
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    PyObject *inner = Py_NewRef(wait->inner);
    PyObject *arguments[4] = {inner};
    for (Py_ssize_t i = 0; i < count; i++) {
        arguments[1 + i] = args[i];
    }
    wait->is_running = 1;
    PyObject *result = PyObject_VectorcallMethod(name_throw, arguments, (size_t)count + 1, NULL);
    wait->is_running = 0;
    Py_DECREF(inner);
    if (result == NULL) {
        if (!wait->is_delegated && PyErr_ExceptionMatches(PyExc_StopIteration)) {
            PyErr_Clear();
            Py_CLEAR(wait->inner);
            wait->has_waited = 1;
            return iterate_wait(wait);
        }
        clear_wait(wait);
    }
    return result;
}

/* ``close()``: it waits no more. */
static PyObject *
close_wait(Wait *wait, PyObject *nothing)
{
    if (refuse_running(wait)) {
        return NULL;
    }
    wait->is_over = 1;
    PyObject *inner = wait->inner;
    wait->inner = NULL;
    PyObject *done = inner == NULL ? Py_NewRef(Py_None)
                                   : PyObject_CallMethodNoArgs(inner, name_close);
    Py_XDECREF(inner);
    return done;
}

/* For who walks the frames of a task: as if it were what it awaits. */
static PyObject *
frame_of_wait(Wait *wait, void *unused)
{
    return wait->inner == NULL ? Py_NewRef(Py_None) : PyObject_GetAttr(wait->inner, name_frame_of);
}

static PyObject *
awaited_by_wait(Wait *wait, void *unused)
{
    return wait->inner == NULL ? Py_NewRef(Py_None) : PyObject_GetAttr(wait->inner, name_awaited);
}

static PyMethodDef wait_methods[] = {
    {"send", (PyCFunction)send_by_name_to_wait, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))throw_into_wait, METH_FASTCALL, NULL},
    {"close", (PyCFunction)close_wait, METH_NOARGS, NULL},
    {NULL},
};

static PyGetSetDef wait_attributes[] = {
    {"cr_frame", (getter)frame_of_wait, NULL, NULL, NULL},
    {"cr_await", (getter)awaited_by_wait, NULL, NULL, NULL},
    {NULL},
};

static PyType_Slot wait_slots[] = {
    {Py_tp_doc, "See connector.feeds.handover."},
    {Py_tp_dealloc, free_wait},
    {Py_tp_traverse, traverse_wait},
    {Py_tp_clear, clear_wait},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterate_wait},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, send_to_wait},
    {Py_tp_methods, wait_methods},
    {Py_tp_getset, wait_attributes},
    {0, NULL},
};

static PyType_Spec wait_spec = {
    .name = "connector.transport._speedups.Wait",
    .basicsize = sizeof(Wait),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_GC,
    .slots = wait_slots,
};

/* --- delays (connector.feeds.delivery_delay) */

enum { MOST_BOUNDS = 15 };

/* A histogram of delays in nanoseconds; the sum may be of years. */
typedef struct {
    PyObject_HEAD
    long long bounds[MOST_BOUNDS];
    long long counts[MOST_BOUNDS + 1];
    double sum;
    int size;
} Histogram;

static PyObject *
new_histogram(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *bounds;
    if (!PyArg_ParseTuple(args, "O!", &PyTuple_Type, &bounds)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(bounds) > MOST_BOUNDS) {
        PyErr_SetString(PyExc_ValueError, "too many bounds");
        return NULL;
    }
    Histogram *made = (Histogram *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (made == NULL) {
        return NULL;
    }
    made->size = (int)PyTuple_GET_SIZE(bounds);
    for (int i = 0; i < made->size; i++) {
        made->bounds[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(bounds, i));
    }
    if (PyErr_Occurred()) {
        Py_DECREF(made);
        return NULL;
    }
    return (PyObject *)made;
}

static void
free_histogram(PyObject *histogram)
{
    PyTypeObject *type = Py_TYPE(histogram);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(histogram);
    Py_DECREF(type);
}

static void
observe(Histogram *histogram, long long delay)
{
    int bucket = 0;
    while (bucket < histogram->size && delay > histogram->bounds[bucket]) {
        bucket++;
    }
    histogram->counts[bucket]++;
    if (delay > 0) {
        histogram->sum += (double)delay;
    }
}

static PyObject *
observe_delay(Histogram *histogram, PyObject *delay)
{
    long long number = PyLong_AsLongLong(delay);
    if (number == -1 && PyErr_Occurred()) {
        return NULL;
    }
    observe(histogram, number);
    Py_RETURN_NONE;
}

#define EARLIEST_NS (-(1LL << 62)) /* in 1823; from there until now fits into a long long */

static PyObject *
observe_since(Histogram *histogram, PyObject *since)
{
    struct timespec now;
    long long begin = PyLong_AsLongLong(since);
    if (begin == -1 && PyErr_Occurred()) {
        return NULL;
    }
    /* A clock may be set to any time: what is counted here never stops a consumer. */
    if (begin < EARLIEST_NS) {
        begin = EARLIEST_NS;
    }
    if (timespec_get(&now, TIME_UTC)) {
        observe(histogram, (long long)now.tv_sec * 1000000000 + now.tv_nsec - begin);
    }
    Py_RETURN_NONE;
}

static PyObject *
read_histogram(Histogram *histogram, PyObject *unused)
{
    PyObject *counts = PyTuple_New(histogram->size + 1);
    for (int i = 0; counts != NULL && i <= histogram->size; i++) {
        PyObject *count = PyLong_FromLongLong(histogram->counts[i]);
        if (count == NULL) {
            Py_CLEAR(counts);
            break;
        }
        PyTuple_SET_ITEM(counts, i, count);
    }
    return counts == NULL ? NULL : Py_BuildValue("Nd", counts, histogram->sum);
}

static PyMethodDef histogram_methods[] = {
    {"observe", (PyCFunction)observe_delay, METH_O, NULL},
    {"observe_since", (PyCFunction)observe_since, METH_O, NULL},
    {"read", (PyCFunction)read_histogram, METH_NOARGS, NULL},
    {NULL},
};

static PyType_Slot histogram_slots[] = {
    {Py_tp_doc, "See connector.feeds.delivery_delay."},
    {Py_tp_new, new_histogram},
    {Py_tp_dealloc, free_histogram},
    {Py_tp_methods, histogram_methods},
    {0, NULL},
};

static PyType_Spec histogram_spec = {
    .name = "connector.transport._speedups.Histogram",
    .basicsize = sizeof(Histogram),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = histogram_slots,
};

static PyTypeObject *histogram_type;

/* --- TLS records (connector.transport.tls) */

/* The free end of some bytes, into which a reader of TLS writes a record. */
typedef struct {
    PyObject_HEAD
    PyObject *data;
    Py_ssize_t taken;
    Py_ssize_t views; /* that somebody has of it: as long as there are, `data` stays where it is */
} Room;

static int
view_room(Room *room, Py_buffer *view, int flags)
{
    if (PyBuffer_FillInfo(view, (PyObject *)room, PyBytes_AS_STRING(room->data) + room->taken,
                          PyBytes_GET_SIZE(room->data) - room->taken, 0, flags)) {
        return -1;
    }
    room->views++;
    return 0;
}

static void
leave_room(Room *room, Py_buffer *view)
{
    room->views--;
}

static void
free_room(Room *room)
{
    PyTypeObject *type = Py_TYPE((PyObject *)room);
    Py_XDECREF(room->data);
    PyObject_Free(room);
    Py_DECREF(type);
}

static PyType_Slot room_slots[] = {
    {Py_tp_doc, "See connector.transport.tls."},
    {Py_tp_dealloc, free_room},
    {Py_bf_getbuffer, view_room},
    {Py_bf_releasebuffer, leave_room},
    {0, NULL},
};

static PyType_Spec room_spec = {
    .name = "connector.transport._speedups.Room",
    .basicsize = sizeof(Room),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = room_slots,
};

static PyTypeObject *room_type;

/* Makes the room as large as `size`; -1 with an exception set. */
static int
resize_room(Room *room, Py_ssize_t size)
{
    if (room->views > 0) {
        PyErr_SetString(PyExc_BufferError, "a reader still holds the memory of a record");
        return -1;
    }
    return _PyBytes_Resize(&room->data, size);
}

/* The exception that is set, which is so no longer; NULL if that fails. */
static PyObject *
catch_error(void)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (error != NULL && traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return error;
}

/* Reads record by record into the room, each of at most `largest` bytes: 0 at the end, or with the
   error that is to be caught in `error`; -1 with an exception set. */
static int
fill_room(Room *room, PyObject *read, PyObject *largest, PyObject *caught, PyObject **error)
{
    PyObject *arguments[] = {largest, (PyObject *)room};
    while (1) {
        Py_ssize_t size = PyBytes_GET_SIZE(room->data), left = size - room->taken;
        if (left == 0 && resize_room(room, 2 * size)) {
            return -1;
        }
        left = PyBytes_GET_SIZE(room->data) - room->taken;
        PyObject *result = PyObject_Vectorcall(read, arguments, 2, NULL);
        if (result == NULL) {
            if (!PyErr_ExceptionMatches(caught)) {
                return -1;
            }
            *error = catch_error();
            return *error == NULL ? -1 : 0;
        }
        Py_ssize_t count = count_of(result, "a record is not shorter than nothing");
        Py_DECREF(result);
        if (count > left) {
            PyErr_SetString(PyExc_ValueError, "a record is longer than its room");
            return -1;
        }
        if (count <= 0) {
            return (int)count;
        }
        room->taken += count;
    }
}

PyDoc_STRVAR(read_records_doc,
"read_records(read, largest, expected, caught)\n"
"--\n\nSee connector.transport.tls.");

static PyObject *
read_records(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "read_records takes 4 arguments");
        return NULL;
    }
    Py_ssize_t expected = count_of(args[2], "expected is not negative");
    Room *room = expected < 0 ? NULL : PyObject_New(Room, room_type);
    if (room == NULL) {
        return NULL;
    }
    room->taken = room->views = 0;
    room->data = PyBytes_FromStringAndSize(NULL, expected > 0 ? expected : 1);
    PyObject *error = NULL, *result = NULL;
    if (room->data != NULL && !fill_room(room, args[0], args[1], args[3], &error)
        && !resize_room(room, room->taken)) {
        result = PyTuple_Pack(2, room->data, error == NULL ? Py_None : error);
    }
    Py_XDECREF(error);
    Py_DECREF((PyObject *)room);
    return result;
}

/* --- the module */

static PyMethodDef functions[] = {
    {"lift_text", (PyCFunction)(void (*)(void))lift_text, METH_FASTCALL, lift_text_doc},
    {"inflate_text", (PyCFunction)(void (*)(void))inflate_text, METH_FASTCALL, inflate_text_doc},
    {"read_records", (PyCFunction)(void (*)(void))read_records, METH_FASTCALL, read_records_doc},
    {"take", (PyCFunction)(void (*)(void))take, METH_FASTCALL, take_doc},
    {"take_and_put", (PyCFunction)(void (*)(void))take_and_put, METH_FASTCALL, take_and_put_doc},
    {"rows", (PyCFunction)(void (*)(void))rows, METH_FASTCALL, rows_doc},
    {"timed", (PyCFunction)(void (*)(void))timed, METH_FASTCALL, timed_doc},
    {"arranged", (PyCFunction)(void (*)(void))arranged, METH_FASTCALL, arranged_doc},
    {"numbered", (PyCFunction)(void (*)(void))numbered, METH_FASTCALL, numbered_doc},
    {"consecutive", (PyCFunction)(void (*)(void))consecutive, METH_FASTCALL, consecutive_doc},
    {"split", (PyCFunction)(void (*)(void))split, METH_FASTCALL, split_doc},
    {"once", (PyCFunction)(void (*)(void))once, METH_FASTCALL, once_doc},
    {"rising", (PyCFunction)(void (*)(void))rising, METH_FASTCALL, rising_doc},
    {"dense", (PyCFunction)(void (*)(void))dense, METH_FASTCALL, dense_doc},
    {"chained", (PyCFunction)(void (*)(void))chained, METH_FASTCALL, chained_doc},
    {NULL},
};

static const struct {
    PyObject **place;
    const char *text;
} names[] = {
    {&name_received_ns, "received_ns"},
    {&name_session, "session"},
    {&name_room, "room"},
    {&name_put_run, "put_run"},
    {&name_exchange_time_ns, "exchange_time_ns"},
    {&name_eof, "eof"},
    {&name_decompress, "decompress"},
    {&name_data, "data"},
    {&name_symbol, "symbol"},
    {&name_frame, "frame"},
    {&name_wire_time, "wire_exchange_time_ns"},
    {&name_last_update_id, "last_update_id"},
    {&name_previous_update_id, "previous_update_id"},
    {&name_next, "_next"},
    {&name_await, "__await__"},
    {&name_unblock, "unblock_if_drained"},
    {&name_wait_for_item, "wait_for_item"},
    {&name_let_go, "_let_go"},
    {&name_throw, "throw"},
    {&name_close, "close"},
    {&name_frame_of, "cr_frame"},
    {&name_awaited, "cr_await"},
};

static const struct {
    PyTypeObject **place;
    PyType_Spec *spec;
    const char *name;
} types[] = {
    {&intake_type, &intake_spec, "Intake"},
    {&histogram_type, &histogram_spec, "Histogram"},
    {&holder_type, &holder_spec, "Holder"},
    {&handover_type, &handover_spec, "Handover"},
    {&step_type, &step_spec, "Step"},
    {&wait_type, &wait_spec, "Wait"},
    {&room_type, &room_spec, "Room"},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "connector.transport._speedups",
    .m_doc = "The hottest loops in C.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i].place = PyUnicode_InternFromString(names[i].text);
        if (*names[i].place == NULL) {
            return NULL;
        }
    }
    PyObject *msgspec = PyImport_ImportModule("msgspec");
    invalid = msgspec == NULL ? NULL : PyObject_GetAttrString(msgspec, "ValidationError");
    Py_XDECREF(msgspec);
    if (invalid == NULL) {
        return NULL;
    }
    PyObject *protocol = PyImport_ImportModule("connector.exchanges.protocol");
    if (protocol == NULL) {
        return NULL;
    }
    undecodable = PyObject_GetAttrString(protocol, "UNDECODABLE");
    Py_DECREF(protocol);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (*types[i].place == NULL) {
            *types[i].place = (PyTypeObject *)PyType_FromSpec(types[i].spec);
        }
        if (*types[i].place == NULL) {
            return NULL;
        }
    }
    PyObject *module = undecodable == NULL ? NULL : PyModule_Create(&definition);
    for (size_t i = 0; module != NULL && i < sizeof types / sizeof *types; i++) {
        if (PyModule_AddObjectRef(module, types[i].name, (PyObject *)*types[i].place)) {
            Py_CLEAR(module);
        }
    }
    return module;
}
