/* The levels of one side of a book, in C: optional, and exactly as those in Python.

   `connector.book.rows` says what is here and has each of it in Python, too; tests hold both to the
   same results. Nothing here waits, or knows of trio, sockets or an exchange. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

/* Built for the stable ABI (setup.py), what is a macro of the full API is a function. */
#ifdef Py_LIMITED_API
#define PyBytes_AS_STRING PyBytes_AsString
#define PyBytes_GET_SIZE PyBytes_Size
#define PyList_GET_SIZE PyList_Size
#define PyList_GET_ITEM PyList_GetItem
#define PyFloat_AS_DOUBLE PyFloat_AsDouble
#endif

static PyObject *name_price, *name_quantity;
/* zlib.crc32 */
static PyObject *crc32;

/* --- rows, sorted by price */

typedef struct {
    /* The price as a float; greater is better, so that of asks is negated. */
    double key;
    PyObject *level;
    /* What the level contributes to a checksum, or NULL. */
    PyObject *digits;
    /* Whether no other price that is exact, too, has this key. */
    int is_exact;
} Row;

typedef struct {
    PyObject_HEAD
    /* Worst first; behind `first` rows that are not in use, so that cutting the worst moves none. */
    Row *rows;
    Py_ssize_t first;
    Py_ssize_t count;
    Py_ssize_t space;
    Py_ssize_t shown;
    Py_ssize_t needed;
    Py_ssize_t kept;
    Py_ssize_t most;
    int is_bids;
    int truncates;
    int prunes;
    /* Whether a change is under way: what it calls must not change the side as well. */
    int is_changing;
    int has_floor;
    double floor_key;
    PyObject *floor_price;
    long long version;
    char is_running_out;
    /* How many of the best levels are as they were when the checksum was last made. */
    Py_ssize_t untouched;
    long long serial;
    /* The serial of the side that it was made with. */
    long long summed_with;
    Py_ssize_t summed_levels;
    int summed_interleaved;
    long long sum;
} Rows;

static long long last_serial;

static Row *
row_at(const Rows *side, Py_ssize_t index)
{
    return side->rows + side->first + index;
}

static void
free_row(Row row)
{
    Py_XDECREF(row.level);
    Py_XDECREF(row.digits);
}

/* Let go of all rows. What is let go of may look at the side: it is empty by then. */
static void
drop_rows(Rows *side)
{
    Row *rows = side->rows;
    Py_ssize_t first = side->first, count = side->count;
    PyObject *floor = side->floor_price;
    side->rows = NULL;
    side->first = side->count = side->space = 0;
    side->floor_price = NULL;
    side->has_floor = 0;
    side->untouched = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        free_row(rows[first + i]);
    }
    PyMem_Free(rows);
    Py_XDECREF(floor);
}

/* Room for one more row at the end; -1 with an exception set. */
static int
make_room(Rows *side)
{
    if (side->first + side->count < side->space) {
        return 0;
    }
    if (side->first > side->count / 2) {
        memmove(side->rows, row_at(side, 0), (size_t)side->count * sizeof(Row));
        side->first = 0;
        return 0;
    }
    Py_ssize_t space = side->first + 2 * side->count + 16;
    Row *rows = PyMem_Realloc(side->rows, (size_t)space * sizeof(Row));
    if (rows == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    side->rows = rows;
    side->space = space;
    return 0;
}

static void
touch(Rows *side, Py_ssize_t index_from_best)
{
    if (index_from_best < side->untouched) {
        side->untouched = index_from_best;
    }
}

/* Whether `other` is a worse price than `price`; -1 with an exception set. */
static int
is_worse(const Rows *side, PyObject *other, PyObject *price)
{
    return PyObject_RichCompareBool(other, price, side->is_bids ? Py_LT : Py_GT);
}

/* How the price of a row compares to that of `level`, which has the same key: 0 equal, 1 worse, 2 better; -1 with
   an exception set. Two Decimals may have one float. */
static int
compare(const Rows *side, Py_ssize_t index, PyObject *level, int is_exact)
{
    if (is_exact && row_at(side, index)->is_exact) {
        return 0;
    }
    int how = -1;
    PyObject *other = PyObject_GetAttr(row_at(side, index)->level, name_price);
    PyObject *price = other == NULL ? NULL : PyObject_GetAttr(level, name_price);
    int is_equal = price == NULL ? -1 : PyObject_RichCompareBool(other, price, Py_EQ);
    if (is_equal > 0) {
        how = 0;
    }
    if (is_equal == 0) {
        int worse = is_worse(side, other, price);
        how = worse < 0 ? -1 : worse ? 1 : 2;
    }
    Py_XDECREF(price);
    Py_XDECREF(other);
    return how;
}

/* Where a row with the price of `level` is or belongs, and in `found` whether it is; -1 with an exception set. */
static Py_ssize_t
locate(const Rows *side, double key, PyObject *level, int is_exact, int *found)
{
    Py_ssize_t low = 0, high = side->count;
    const Row *rows = row_at(side, 0);
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (rows[middle].key < key) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    *found = 0;
    while (low < side->count && row_at(side, low)->key == key) {
        int how = compare(side, low, level, is_exact);
        if (how < 0) {
            return -1;
        }
        if (how != 1) {
            *found = how == 0;
            break;
        }
        low++;
    }
    return low;
}

/* Whether the floor is at or below the price of `level`; -1 with an exception set. */
static int
is_above_floor(const Rows *side, double key, PyObject *level)
{
    if (!side->has_floor || key > side->floor_key) {
        return 1;
    }
    if (key < side->floor_key) {
        return 0;
    }
    if (PyFloat_CheckExact(side->floor_price)) {
        return 1;
    }
    PyObject *floor = Py_NewRef(side->floor_price), *price = PyObject_GetAttr(level, name_price);
    int worse = price == NULL ? -1 : is_worse(side, price, floor);
    Py_DECREF(floor);
    Py_XDECREF(price);
    return worse < 0 ? -1 : !worse;
}

/* What is known ends at the worst level that there is; -1 with an exception set. */
static int
raise_floor(Rows *side)
{
    Row *worst = row_at(side, 0);
    PyObject *price = PyObject_GetAttr(worst->level, name_price), *before = side->floor_price;
    if (price == NULL) {
        return -1;
    }
    side->floor_key = row_at(side, 0)->key;
    side->floor_price = price;
    side->has_floor = 1;
    Py_XDECREF(before);
    return 0;
}

/* Cut the side to the levels that are kept; -1 with an exception set. */
static int
prune(Rows *side)
{
    while (side->count > side->kept) {
        Row worst = *row_at(side, 0);
        side->first++;
        side->count--;
        free_row(worst);
    }
    touch(side, side->kept);
    return side->truncates || side->count == 0 ? 0 : raise_floor(side);
}

/* What every change ends with; -1 with an exception set. */
static int
settle(Rows *side)
{
    if (side->count > side->most && prune(side)) {
        return -1;
    }
    int runs_out = 0;
    if (side->has_floor) {
        Py_ssize_t last = side->count - side->needed;
        runs_out = last < 0;
        if (!runs_out && last < side->count) {
            const Row *row = row_at(side, last);
            runs_out = row->key < side->floor_key;
            if (row->key == side->floor_key && !PyFloat_CheckExact(side->floor_price)) {
                PyObject *price = PyObject_GetAttr(row->level, name_price);
                runs_out = price == NULL ? -1 : is_worse(side, price, side->floor_price);
                Py_XDECREF(price);
                if (runs_out < 0) {
                    return -1;
                }
            }
        }
    }
    side->is_running_out = (char)runs_out;
    return 0;
}

/* --- one level */

/* The powers of ten that are floats, and by which a division is rounded once. */
static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
/* Of a price that is exact; and of a quantity whose float is not 0 if it has another digit. */
enum { MOST_DIGITS = 15, LONGEST = 64 };

/* The price that `digits` begin with, up to a colon, and whether the quantity behind it is above 0;
   0 if they are not two plain numbers, of which the price is short: else its float may be another. */
static int
read_numbers(PyObject *digits, double *price, int *is_above)
{
    const char *text = PyBytes_AS_STRING(digits);
    Py_ssize_t size = PyBytes_GET_SIZE(digits), places = -1, at = 0;
    uint64_t number = 0;
    for (; at < size && text[at] != ':'; at++) {
        if (text[at] == '.') {
            if (places >= 0) {
                return 0;
            }
            places = 0;
            continue;
        }
        if (text[at] < '0' || text[at] > '9' || at > MOST_DIGITS) {
            return 0;
        }
        number = number * 10 + (uint64_t)(text[at] - '0');
        places += places >= 0;
    }
    if (at >= size - 1 || at == 0 || number > 999999999999999 || size - at > LONGEST) {
        return 0;
    }
    *price = (double)number / TENS[places > 0 ? places : 0];
    *is_above = 0;
    for (at++; at < size; at++) {
        if (text[at] != '.' && (text[at] < '0' || text[at] > '9')) {
            return 0;
        }
        *is_above |= text[at] >= '1';
    }
    return 1;
}

static int
is_nonzero(PyObject *quantity)
{
    return PyFloat_CheckExact(quantity) ? PyFloat_AS_DOUBLE(quantity) != 0.0
                                        : PyObject_IsTrue(quantity);
}

/* The digits of the level `index`, or NULL; with an exception set if it has none that could be. */
static PyObject *
digits_at(PyObject *digits, Py_ssize_t index)
{
    if (digits == Py_None) {
        return NULL;
    }
    if (index >= PyList_GET_SIZE(digits)) {
        PyErr_SetString(PyExc_ValueError, "there are digits of each level");
        return NULL;
    }
    PyObject *found = PyList_GET_ITEM(digits, index);
    if (!PyBytes_CheckExact(found)) {
        PyErr_SetString(PyExc_TypeError, "digits are bytes");
        return NULL;
    }
    return found;
}

/* Put a row at `index`, where the others make place for it; -1 with an exception set. */
static int
insert(Rows *side, Py_ssize_t index, double key, int is_exact, PyObject *level, PyObject *digits)
{
    if (make_room(side)) {
        return -1;
    }
    Row *row = row_at(side, index);
    memmove(row + 1, row, (size_t)(side->count - index) * sizeof(Row));
    row->key = key;
    row->is_exact = is_exact;
    row->level = Py_NewRef(level);
    row->digits = Py_XNewRef(digits);
    side->count++;
    touch(side, side->count - 1 - index);
    return 0;
}

/* What a level is sorted by, whether it stays (its quantity is not 0), and in `is_exact` whether no
   other exact price has this key: two numbers of 15 digits have two floats. -1 with an exception set.

   Of the digits all of it can be told, without making a number. */
static int
look_at(const Rows *side, PyObject *level, PyObject *digits, double *key, int *is_exact)
{
    int stays = -1;
    *is_exact = 1;
    if (digits == NULL || !read_numbers(digits, key, &stays)) {
        PyObject *price = PyObject_GetAttr(level, name_price);
        PyObject *quantity = price == NULL ? NULL : PyObject_GetAttr(level, name_quantity);
        stays = quantity == NULL ? -1 : is_nonzero(quantity);
        if (stays >= 0) {
            *is_exact = PyFloat_CheckExact(price);
            *key = PyFloat_AsDouble(price);
            stays = PyErr_Occurred() ? -1 : stays;
        }
        Py_XDECREF(price);
        Py_XDECREF(quantity);
    }
    if (stays >= 0 && !side->is_bids) {
        *key = -*key;
    }
    return stays;
}

/* Take the new quantity of a price; -1 with an exception set. */
static int
apply_one(Rows *side, PyObject *level, PyObject *digits)
{
    int found, is_exact;
    double key;
    int stays = look_at(side, level, digits, &key, &is_exact);
    if (stays < 0) {
        return -1;
    }
    Py_ssize_t index = locate(side, key, level, is_exact, &found);
    if (index < 0) {
        return -1;
    }
    if (!found) {
        int is_known = stays && side->prunes ? is_above_floor(side, key, level) : stays;
        return is_known <= 0 ? is_known : insert(side, index, key, is_exact, level, digits);
    }
    Row *row = row_at(side, index), before = *row;
    touch(side, side->count - 1 - index);
    if (stays) {
        row->is_exact = is_exact;
        row->level = Py_NewRef(level);
        row->digits = Py_XNewRef(digits);
    }
    else {
        memmove(row, row + 1, (size_t)(side->count - 1 - index) * sizeof(Row));
        side->count--;
    }
    free_row(before);
    return 0;
}

/* --- what Python calls */

/* Note that a change begins; -1 with an exception set if one is under way. It is counted even if it
   fails: by then the levels may be others. */
static int
begin_change(Rows *side)
{
    if (side->is_changing) {
        PyErr_SetString(PyExc_RuntimeError, "this side of a book is being changed already");
        return -1;
    }
    side->is_changing = 1;
    side->version++;
    return 0;
}

/* Whether these can be the digits of `levels`: a list of as many, or None; if not, with an exception
   set. */
static int
are_digits(PyObject *digits, PyObject *levels)
{
    if (digits == Py_None) {
        return 1;
    }
    if (!PyList_CheckExact(digits)) {
        PyErr_SetString(PyExc_TypeError, "digits are in a list, or None");
        return 0;
    }
    if (PyList_GET_SIZE(digits) != PyList_GET_SIZE(levels)) {
        PyErr_SetString(PyExc_ValueError, "there are digits of each level");
        return 0;
    }
    return 1;
}

PyDoc_STRVAR(apply_doc, "apply(changes, digits=None)\n--\n\nSee connector.book.rows.");

static PyObject *
rows_apply(Rows *side, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 2) {
        PyErr_SetString(PyExc_TypeError, "apply(changes, digits=None)");
        return NULL;
    }
    PyObject *digits = count > 1 ? args[1] : Py_None;
    PyObject *changes = PyList_CheckExact(args[0]) ? Py_NewRef(args[0]) : PySequence_List(args[0]);
    if (changes == NULL || !are_digits(digits, changes) || begin_change(side)) {
        Py_XDECREF(changes);
        return NULL;
    }
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(changes); i++) {
        PyObject *written = digits_at(digits, i);
        if (written == NULL && PyErr_Occurred()) {
            failed = 1;
            break;
        }
        PyObject *level = Py_NewRef(PyList_GET_ITEM(changes, i));
        Py_XINCREF(written);
        failed = apply_one(side, level, written);
        Py_DECREF(level);
        Py_XDECREF(written);
    }
    failed = failed || settle(side);
    Py_DECREF(changes);
    side->is_changing = 0;
    return failed ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(fill_doc, "fill(levels, digits, complete)\n--\n\nSee connector.book.rows.");

static PyObject *
rows_fill(Rows *side, PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "fill(list, list or None, bool)");
        return NULL;
    }
    PyObject *levels = args[0], *digits = args[1];
    if (!are_digits(digits, levels) || begin_change(side)) {
        return NULL;
    }
    drop_rows(side);
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(levels); i++) {
        PyObject *written = digits_at(digits, i);
        if (written == NULL && PyErr_Occurred()) {
            failed = 1;
            break;
        }
        PyObject *level = Py_NewRef(PyList_GET_ITEM(levels, i));
        Py_XINCREF(written);
        double key;
        int is_exact;
        failed = look_at(side, level, written, &key, &is_exact) < 0
                 || insert(side, side->count, key, is_exact, level, written);
        Py_DECREF(level);
        Py_XDECREF(written);
    }
    if (!failed && args[2] != Py_True && side->count > 0) {
        failed = raise_floor(side);
    }
    failed = failed || settle(side);
    side->is_changing = 0;
    return failed ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(clear_doc, "clear()\n--\n\nSee connector.book.rows.");

static PyObject *
rows_clear(Rows *side, PyObject *nothing)
{
    if (begin_change(side)) {
        return NULL;
    }
    drop_rows(side);
    int failed = settle(side);
    side->is_changing = 0;
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *
level_at(const Rows *side, Py_ssize_t index)
{
    return Py_NewRef(row_at(side, side->count - 1 - index)->level);
}

/* Levels `start`, `start + step` … as a list; NULL with an exception set. */
static PyObject *
levels_at(const Rows *side, Py_ssize_t start, Py_ssize_t step, Py_ssize_t count)
{
    long long version = side->version;
    PyObject *found = PyList_New(count);
    if (found != NULL && side->version != version) {
        /* To make the list, the collector ran, and what it let go of. */
        PyErr_SetString(PyExc_RuntimeError, "the book changed while its levels were read");
        Py_CLEAR(found);
    }
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        PyList_SetItem(found, i, level_at(side, start + i * step));
    }
    return found;
}

PyDoc_STRVAR(top_doc, "top(count)\n--\n\nSee connector.book.rows.");

static PyObject *
rows_top(Rows *side, PyObject *number)
{
    Py_ssize_t count = PyNumber_AsSsize_t(number, NULL);
    if (count == -1 && PyErr_Occurred()) {
        return NULL;
    }
    count = count < 0 ? 0 : count < side->count ? count : side->count;
    return levels_at(side, 0, 1, count);
}

static Py_ssize_t
rows_length(Rows *side)
{
    return side->shown < side->count ? side->shown : side->count;
}

static PyObject *
rows_item(Rows *side, PyObject *place)
{
    Py_ssize_t count = rows_length(side);
    if (PySlice_Check(place)) {
        Py_ssize_t start, stop, step;
        if (PySlice_Unpack(place, &start, &stop, &step)) {
            return NULL;
        }
        /* What was asked for its indices may have changed the side. */
        count = rows_length(side);
        Py_ssize_t length = PySlice_AdjustIndices(count, &start, &stop, step);
        return levels_at(side, start, step, length);
    }
    Py_ssize_t index = PyNumber_AsSsize_t(place, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) {
        return NULL;
    }
    count = rows_length(side);
    if (index == 0 && side->count > 0) {
        return level_at(side, 0);
    }
    Py_ssize_t counted = index < 0 ? index + count : index;
    if (counted < 0 || counted >= count) {
        PyErr_Format(PyExc_IndexError, "level %zd of a side with %zd levels", counted, count);
        return NULL;
    }
    return level_at(side, counted);
}

static PyObject *
rows_top_is_known(Rows *side, void *unused)
{
    if (!side->has_floor) {
        return Py_NewRef(Py_True);
    }
    if (side->count == 0) {
        return Py_NewRef(Py_False);
    }
    PyObject *best = level_at(side, 0);
    int known = is_above_floor(side, row_at(side, side->count - 1)->key, best);
    Py_DECREF(best);
    return known < 0 ? NULL : PyBool_FromLong(known);
}

static PyMemberDef rows_members[] = {
    {"is_running_out", T_BOOL, offsetof(Rows, is_running_out), READONLY, NULL},
    {"stored", T_PYSSIZET, offsetof(Rows, count), READONLY, NULL},
    {"version", T_LONGLONG, offsetof(Rows, version), READONLY, NULL},
    {NULL},
};

static PyGetSetDef rows_getters[] = {
    {"top_is_known", (getter)rows_top_is_known, NULL, NULL, NULL},
    {NULL},
};

static PyMethodDef rows_methods[] = {
    {"apply", (PyCFunction)(void (*)(void))rows_apply, METH_FASTCALL, apply_doc},
    {"fill", (PyCFunction)(void (*)(void))rows_fill, METH_FASTCALL, fill_doc},
    {"clear", (PyCFunction)rows_clear, METH_NOARGS, clear_doc},
    {"top", (PyCFunction)rows_top, METH_O, top_doc},
    {NULL},
};

static int
rows_init(Rows *side, PyObject *args, PyObject *names)
{
    static char *words[] = {"is_bids", "shown", "needed", "kept", "most", "truncates", NULL};
    Py_ssize_t shown, needed, kept, most;
    int is_bids, truncates;
    if (!PyArg_ParseTupleAndKeywords(args, names, "pnnnnp", words, &is_bids, &shown, &needed, &kept,
                                     &most, &truncates)) {
        return -1;
    }
    if (shown < 0 || needed < 0 || kept < 0 || most < kept) {
        PyErr_SetString(PyExc_ValueError, "numbers of levels are not negative");
        return -1;
    }
    if (begin_change(side)) {
        return -1;
    }
    drop_rows(side);
    side->is_bids = is_bids;
    side->shown = shown;
    side->needed = needed;
    side->kept = kept;
    side->most = most;
    side->truncates = truncates;
    side->prunes = kept != PY_SSIZE_T_MAX;
    side->serial = ++last_serial;
    int failed = settle(side);
    side->is_changing = 0;
    return failed;
}

static int
traverse_rows(Rows *side, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)side));
    Py_VISIT(side->floor_price);
    for (Py_ssize_t i = 0; i < side->count; i++) {
        Py_VISIT(row_at(side, i)->level);
        Py_VISIT(row_at(side, i)->digits);
    }
    return 0;
}

static int
drop_all(Rows *side)
{
    drop_rows(side);
    return 0;
}

static void
free_rows(Rows *side)
{
    PyTypeObject *type = Py_TYPE((PyObject *)side);
    PyObject_GC_UnTrack(side);
    drop_rows(side);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(side);
    Py_DECREF(type);
}

static PyType_Slot rows_slots[] = {
    {Py_tp_doc, "See connector.book.rows."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, rows_init},
    {Py_tp_dealloc, free_rows},
    {Py_tp_traverse, traverse_rows},
    {Py_tp_clear, drop_all},
    {Py_tp_members, rows_members},
    {Py_tp_getset, rows_getters},
    {Py_tp_methods, rows_methods},
    {Py_mp_length, rows_length},
    {Py_mp_subscript, rows_item},
    {0, NULL},
};

static PyType_Spec rows_spec = {
    .name = "connector.book._rows.Rows",
    .basicsize = sizeof(Rows),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = rows_slots,
};

static PyTypeObject *rows_type;

/* --- checksums */

/* The digits of the level `index` from the best, or NULL. */
static PyObject *
best_digits(const Rows *side, Py_ssize_t index)
{
    return index < side->count ? row_at(side, side->count - 1 - index)->digits : NULL;
}

/* How many bytes the digits of the best levels have, each with `more`; -1 if some have none. */
static Py_ssize_t
size_of_digits(const Rows *side, Py_ssize_t levels, Py_ssize_t more)
{
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < levels && i < side->count; i++) {
        PyObject *digits = best_digits(side, i);
        if (digits == NULL) {
            return -1;
        }
        size += PyBytes_GET_SIZE(digits) + more;
    }
    return size;
}

static char *
append(char *to, PyObject *digits)
{
    Py_ssize_t size = PyBytes_GET_SIZE(digits);
    memcpy(to, PyBytes_AS_STRING(digits), (size_t)size);
    return to + size;
}

/* The digits of both sides in the order of the checksum; NULL with an exception set. */
static PyObject *
join(const Rows *bids, const Rows *asks, Py_ssize_t levels, int interleaved, Py_ssize_t size)
{
    PyObject *joined = PyBytes_FromStringAndSize(NULL, size);
    if (joined == NULL) {
        return NULL;
    }
    char *to = PyBytes_AS_STRING(joined);
    if (interleaved) {
        const char *end = to + size;
        for (Py_ssize_t i = 0; i < levels && (i < bids->count || i < asks->count); i++) {
            PyObject *both[] = {best_digits(bids, i), best_digits(asks, i)};
            for (int side = 0; side < 2; side++) {
                if (both[side] == NULL) {
                    continue;
                }
                to = append(to, both[side]);
                if (to < end) {
                    *to++ = ':';
                }
            }
        }
    }
    else {
        for (Py_ssize_t i = 0; i < levels && i < asks->count; i++) {
            to = append(to, best_digits(asks, i));
        }
        for (Py_ssize_t i = 0; i < levels && i < bids->count; i++) {
            to = append(to, best_digits(bids, i));
        }
    }
    return joined;
}

PyDoc_STRVAR(checksum_doc,
"checksum(bids, asks, levels, interleaved)\n--\n\nSee connector.book.rows.");

static PyObject *
checksum(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyObject_TypeCheck(args[0], rows_type)
        || !PyObject_TypeCheck(args[1], rows_type)) {
        PyErr_SetString(PyExc_TypeError, "checksum(Rows, Rows, int, bool)");
        return NULL;
    }
    Rows *bids = (Rows *)args[0], *asks = (Rows *)args[1];
    Py_ssize_t levels = PyNumber_AsSsize_t(args[2], NULL);
    if (levels == -1 && PyErr_Occurred()) {
        return NULL;
    }
    int interleaved = args[3] == Py_True;
    if (bids->untouched >= levels && asks->untouched >= levels
        && bids->summed_with == asks->serial && asks->summed_with == bids->serial
        && bids->summed_levels == levels && bids->summed_interleaved == interleaved) {
        return PyLong_FromLongLong(bids->sum);
    }
    Py_ssize_t of_bids = size_of_digits(bids, levels, interleaved),
               of_asks = size_of_digits(asks, levels, interleaved);
    if (of_bids < 0 || of_asks < 0) {
        return Py_NewRef(Py_None);
    }
    /* There is no colon behind the last. */
    Py_ssize_t size = of_bids + of_asks;
    PyObject *joined = join(bids, asks, levels, interleaved, size - (interleaved && size > 0));
    PyObject *found = joined == NULL ? NULL : PyObject_Vectorcall(crc32, &joined, 1, NULL);
    Py_XDECREF(joined);
    long long sum = found == NULL ? -1 : PyLong_AsLongLong(found);
    Py_XDECREF(found);
    if (sum == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (interleaved && sum >= 1LL << 31) {
        sum -= 1LL << 32;
    }
    bids->untouched = asks->untouched = PY_SSIZE_T_MAX;
    bids->summed_with = asks->serial;
    asks->summed_with = bids->serial;
    bids->summed_levels = levels;
    bids->summed_interleaved = interleaved;
    bids->sum = sum;
    return PyLong_FromLongLong(sum);
}

/* --- the digits in a frame. Whatever is unusual is left to Python; a frame was decoded before. */

/* JSON; at the end there is a 0. */
typedef struct {
    const char *at;
    const char *end;
} Text;

static void
skip_blanks(Text *text)
{
    while (*text->at == ' ' || *text->at == '\n' || *text->at == '\t' || *text->at == '\r') {
        text->at++;
    }
}

/* Whether `sign` is next, and skips it. */
static int
skip(Text *text, char sign)
{
    skip_blanks(text);
    if (*text->at != sign) {
        return 0;
    }
    text->at++;
    return 1;
}

/* Skips a text; 0 if it is none, or has an escape. */
static int
skip_text(Text *text)
{
    if (!skip(text, '"')) {
        return 0;
    }
    while (*text->at != '"') {
        if (*text->at == '\\' || text->at >= text->end) {
            return 0;
        }
        text->at++;
    }
    text->at++;
    return 1;
}

/* Skips a value; 0 if it ends nowhere. */
static int
skip_value(Text *text)
{
    int depth = 0;
    do {
        skip_blanks(text);
        switch (*text->at) {
        case '"':
            if (!skip_text(text)) {
                return 0;
            }
            break;
        case '{':
        case '[':
            depth++;
            text->at++;
            break;
        case '}':
        case ']':
            if (depth-- == 0) {
                return 0;
            }
            text->at++;
            break;
        default:
            if (text->at >= text->end || (depth == 0 && (*text->at == ',' || *text->at == ':'))) {
                return 0;
            }
            if (*text->at == ',' || *text->at == ':') {
                text->at++;
                break;
            }
            if (*text->at == '\0') {
                return 0;
            }
            while (strchr(",:]} \n\t\r\"[{", *text->at) == NULL) {
                text->at++;
            }
        }
    } while (depth > 0);
    return 1;
}

/* Whether the next is the name `word` of a field, and skips it with its colon. */
static int
skip_name(Text *text, const char *word)
{
    skip_blanks(text);
    size_t size = strlen(word);
    /* Behind the end is a 0, at which this stops. */
    if (*text->at != '"' || strncmp(text->at + 1, word, size) != 0 || text->at[size + 1] != '"') {
        return 0;
    }
    const char *before = text->at;
    text->at += size + 2;
    if (skip(text, ':')) {
        return 1;
    }
    text->at = before;
    return 0;
}

/* Skips a number without sign and exponent; where it begins and, in `size`, how long it is, or NULL. */
static const char *
skip_number(Text *text, int quoted, Py_ssize_t *size)
{
    skip_blanks(text);
    if (quoted && *text->at++ != '"') {
        text->at--;
        return NULL;
    }
    const char *begin = text->at;
    int points = 0;
    while ((*text->at >= '0' && *text->at <= '9') || *text->at == '.') {
        points += *text->at++ == '.';
    }
    *size = text->at - begin;
    if (*size == 0 || points > 1 || *size == points || *size > LONGEST) {
        return NULL;
    }
    if (quoted) {
        return *text->at++ == '"' ? begin : (text->at--, NULL);
    }
    /* Else it is a sign or an exponent that ended it. */
    return *text->at != '\0' && strchr(",]} \n\t\r", *text->at) != NULL ? begin : NULL;
}

/* Appends the digits without point and leading zeros. */
static char *
strip(char *to, const char *digits, Py_ssize_t size)
{
    const char *begin = to;
    for (Py_ssize_t i = 0; i < size; i++) {
        if (digits[i] != '.' && (digits[i] != '0' || to > begin)) {
            *to++ = digits[i];
        }
    }
    return to;
}

/* Appends to `found` the digits of the next level; 0 if it is unusual, -1 with an exception set. */
static int
read_level(Text *text, int stripped, PyObject *found)
{
    Py_ssize_t price_size, quantity_size;
    char piece[2 * LONGEST + 1], *to = piece;
    const char *price, *quantity;
    if (stripped) {
        if (!skip(text, '{') || !skip_name(text, "price")
            || (price = skip_number(text, 0, &price_size)) == NULL || !skip(text, ',')
            || !skip_name(text, "qty") || (quantity = skip_number(text, 0, &quantity_size)) == NULL
            || !skip(text, '}')) {
            return 0;
        }
        to = strip(to, price, price_size);
        to = strip(to, quantity, quantity_size);
    }
    else {
        if (!skip(text, '[') || (price = skip_number(text, 1, &price_size)) == NULL
            || !skip(text, ',') || (quantity = skip_number(text, 1, &quantity_size)) == NULL) {
            return 0;
        }
        while (skip(text, ',')) {
            if (!skip_value(text)) {
                return 0;
            }
        }
        if (!skip(text, ']')) {
            return 0;
        }
        memcpy(to, price, (size_t)price_size);
        to += price_size;
        *to++ = ':';
        memcpy(to, quantity, (size_t)quantity_size);
        to += quantity_size;
    }
    PyObject *digits = PyBytes_FromStringAndSize(piece, to - piece);
    int failed = digits == NULL || PyList_Append(found, digits);
    Py_XDECREF(digits);
    return failed ? -1 : 1;
}

/* The digits of a list of levels; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_levels(Text *text, int stripped)
{
    if (!skip(text, '[')) {
        return NULL;
    }
    PyObject *found = PyList_New(0);
    if (found == NULL || skip(text, ']')) {
        return found;
    }
    do {
        if (read_level(text, stripped, found) <= 0) {
            Py_DECREF(found);
            return NULL;
        }
    } while (skip(text, ','));
    if (!skip(text, ']')) {
        Py_CLEAR(found);
    }
    return found;
}

/* Skips a row, and finds its `sides`, bids first; 0 if it is unusual, perhaps with an exception set. */
static int
read_row(Text *text, int stripped, PyObject **sides)
{
    static const char *const names[] = {"bids", "asks"};
    if (!skip(text, '{')) {
        return 0;
    }
    do {
        int side = skip_name(text, names[0]) ? 0 : skip_name(text, names[1]) ? 1 : 2;
        if (side == 2) {
            if (!skip_text(text) || !skip(text, ':') || !skip_value(text)) {
                return 0;
            }
        }
        else if (sides[side] != NULL || (sides[side] = read_levels(text, stripped)) == NULL) {
            return 0;
        }
    } while (skip(text, ','));
    return skip(text, '}');
}

/* Finds the `sides` of the one row in ``data``; 0 if the frame is unusual, as `read_row`. */
static int
read_frame(Text *text, int stripped, PyObject **sides)
{
    int seen = 0;
    if (!skip(text, '{')) {
        return 0;
    }
    do {
        if (skip_name(text, "data")) {
            if (seen++ || !skip(text, '[') || !read_row(text, stripped, sides)
                || !skip(text, ']')) {
                return 0;
            }
        }
        else if (!skip_text(text) || !skip(text, ':') || !skip_value(text)) {
            return 0;
        }
    } while (skip(text, ','));
    return skip(text, '}') && sides[0] != NULL && sides[1] != NULL;
}

PyDoc_STRVAR(read_digits_doc, "read_digits(frame, stripped)\n--\n\nSee connector.book.rows.");

static PyObject *
read_digits(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "read_digits(bytes, bool)");
        return NULL;
    }
    Text text = {PyBytes_AS_STRING(args[0]),
                 PyBytes_AS_STRING(args[0]) + PyBytes_GET_SIZE(args[0])};
    PyObject *sides[] = {NULL, NULL}, *result = NULL;
    if (read_frame(&text, args[1] == Py_True, sides)) {
        result = PyTuple_Pack(2, sides[0], sides[1]);
    }
    else if (!PyErr_Occurred()) {
        result = Py_NewRef(Py_None);
    }
    Py_XDECREF(sides[0]);
    Py_XDECREF(sides[1]);
    return result;
}

/* --- the module */

static PyMethodDef functions[] = {
    {"checksum", (PyCFunction)(void (*)(void))checksum, METH_FASTCALL, checksum_doc},
    {"read_digits", (PyCFunction)(void (*)(void))read_digits, METH_FASTCALL, read_digits_doc},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "connector.book._rows",
    .m_doc = "The levels of a book in C.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__rows(void)
{
    name_price = PyUnicode_InternFromString("price");
    name_quantity = PyUnicode_InternFromString("quantity");
    PyObject *zlib = PyImport_ImportModule("zlib");
    crc32 = zlib == NULL ? NULL : PyObject_GetAttrString(zlib, "crc32");
    Py_XDECREF(zlib);
    if (rows_type == NULL) {
        rows_type = (PyTypeObject *)PyType_FromSpec(&rows_spec);
    }
    if (name_price == NULL || name_quantity == NULL || crc32 == NULL || rows_type == NULL) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddObjectRef(module, "Rows", (PyObject *)rows_type)) {
        Py_CLEAR(module);
    }
    return module;
}
