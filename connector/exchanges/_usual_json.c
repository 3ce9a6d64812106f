/* Structs out of JSON of the usual form, in C: optional, and exactly as msgspec decodes them.

   `connector.exchanges.usual_json` says what is usual. Whatever is not is left to msgspec, whose
   decoder a reader has as `otherwise`: no error is of its own. Nothing here waits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <string.h>
#include <structmember.h>

#ifdef Py_LIMITED_API
#define PyBytes_AS_STRING PyBytes_AsString
#define PyBytes_GET_SIZE PyBytes_Size
#define PyTuple_GET_ITEM PyTuple_GetItem
#define PyTuple_GET_SIZE PyTuple_Size
#define PyList_GET_SIZE PyList_Size
#define PyList_GET_ITEM PyList_GetItem
#endif

/* What a field may hold; `connector.exchanges.usual_json` has the same numbers. */
enum {
    TEXT = 1, WHOLE = 2, TRUTH = 4, NOTHING = 8, DECIMAL = 16, RAW = 32, OBJECT = 64, LIST = 128,
    FLOAT = 256,
    WORD = 512,
    QUOTED = 1024, /* numbers are found in text, too */
    ALONE = 2048,  /* a list of one object, whose fields are those of the object around it */
    SIDES = 4096,  /* a list of rows, each of one of two kinds: two lists, in two slots */
};

#define MOST_FIELDS 48
#define LONGEST 40
#define DEEPEST 16
/* So many digits fit into a long long. */
#define MOST_DIGITS 18
/* So many stand for a float exactly, as do powers of ten up to the 22nd. */
#define EXACT_DIGITS 15

/* A field that is only looked at. */
#define NO_SLOT -1

static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
                                1e13, 1e14, 1e15};

static PyObject *decimal_type, *raw_type;

typedef struct Reader Reader;

typedef struct {
    PyObject *name;
    const char *letters;
    Py_ssize_t size;
    int forms;
    /* Where its value is among those of the struct; of an object in it, where its first one is. */
    int slot;
    /* The largest whole number, or the longest text, that is usual. */
    long long most;
    /* What may stand there, and what each word means. */
    PyObject *words;
    /* What stands for an absent one: `list` for an empty list. NULL where it is required. */
    PyObject *absent;
    Reader *inner;
    /* The last token, and what it meant: prices, symbols and words repeat. */
    char token[LONGEST];
    Py_ssize_t token_size;
    PyObject *meaning;
} Field;

/* What stood between two values the last time, the name of the second included. */
typedef struct {
    char letters[LONGEST];
    Py_ssize_t size; /* 0: not known */
    Field *field;    /* NULL: of a name that is none of these */
} Glue;

struct Reader {
    PyObject_HEAD
    PyObject *kind;
    /* Of the values, if they are not taken by their places. */
    PyObject *names;
    PyObject *otherwise;
    Py_ssize_t slots;
    int is_list;
    Py_ssize_t count;
    Field *fields;
    /* By the place in the object. */
    Glue glues[MOST_FIELDS];
#ifndef Py_LIMITED_API
    /* Where the values lie in a struct that needs no more than them. */
    int is_laid_out;
    Py_ssize_t offsets[MOST_FIELDS];
#endif
};

static PyTypeObject *reader_type;

/* Letters that stand for themselves within a text. */
static unsigned char is_plain[256];

static inline const char *
blanks(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') {
        at++;
    }
    return at;
}

/* Behind the text that begins at `at`, its quote included; NULL if it has an escape, or a letter
   beyond ASCII. Behind the end of all there is a 0, at which this stops. */
static inline const char *
end_of_text(const char *at)
{
    while (is_plain[(unsigned char)*at]) {
        at++;
    }
    return *at == '"' ? at + 1 : NULL;
}

/* The same of a long text, of which nothing is wanted. */
static const char *
end_of_long_text(const char *at)
{
    const char *end = strchr(at, '"');
    unsigned char is_odd = 0;
    /* All of it, without a way out: compilers make vectors of that. */
    for (; end != NULL && at < end; at++) {
        unsigned char letter = (unsigned char)*at;
        is_odd |= (letter < ' ') | (letter > '~') | (letter == '\\');
    }
    return end == NULL || is_odd ? NULL : end + 1;
}

/* Behind digits, with a sign and a fraction at most; NULL if these are none. */
static const char *
end_of_number(const char *at)
{
    at += *at == '-';
    const char *digits = at;
    while (*at >= '0' && *at <= '9') {
        at++;
    }
    if (at == digits || (*digits == '0' && at > digits + 1)) {
        return NULL;
    }
    if (*at == '.') {
        const char *fraction = ++at;
        while (*at >= '0' && *at <= '9') {
            at++;
        }
        if (at == fraction) {
            return NULL;
        }
    }
    return at;
}

static const char *
end_of_word(const char *at, const char *word)
{
    size_t size = strlen(word);
    return strncmp(at, word, size) == 0 ? at + size : NULL;
}

/* Behind any value; NULL if it is unusual. */
static const char *
end_of_value(const char *at, int depth)
{
    switch (*at) {
    case '"':
        return end_of_long_text(at + 1);
    case 't':
        return end_of_word(at, "true");
    case 'f':
        return end_of_word(at, "false");
    case 'n':
        return end_of_word(at, "null");
    case '{':
    case '[': {
        int is_object = *at == '{';
        char end = is_object ? '}' : ']';
        if (depth == DEEPEST) {
            return NULL;
        }
        at = blanks(at + 1);
        if (*at == end) {
            return at + 1;
        }
        while (1) {
            if (is_object) {
                if (*at != '"' || (at = end_of_text(at + 1)) == NULL || *(at = blanks(at)) != ':') {
                    return NULL;
                }
                at = blanks(at + 1);
            }
            if ((at = end_of_value(at, depth + 1)) == NULL) {
                return NULL;
            }
            at = blanks(at);
            if (*at == end) {
                return at + 1;
            }
            if (*at != ',') {
                return NULL;
            }
            at = blanks(at + 1);
        }
    }
    default:
        return end_of_number(at);
    }
}

/* Notes what a token means, and returns it. */
static PyObject *
learn(Field *field, const char *token, Py_ssize_t size, PyObject *meaning)
{
    if (meaning != NULL && size <= LONGEST) {
        PyObject *before = field->meaning;
        memcpy(field->token, token, (size_t)size);
        field->token_size = size;
        field->meaning = Py_NewRef(meaning);
        Py_XDECREF(before);
    }
    return meaning;
}

static PyObject *read_object(Reader *reader, const char **text);
static int read_fields(Reader *reader, const char **text, PyObject **values);

static void
drop_values(PyObject **values, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_XDECREF(values[i]);
    }
}

/* Moves behind an object of a list and the comma behind it: 1 if another object follows, 0 behind the
   end of the list, -1 if it is unusual. */
static inline int
next_of_list(const char **text)
{
    const char *at = blanks(*text);
    int has_next = *at == ',';
    if (!has_next && *at != ']') {
        return -1;
    }
    at++;
    *text = has_next ? blanks(at) : at;
    return !has_next || **text == '{' ? has_next : -1;
}

/* Moves behind the bracket that begins a list; as `next_of_list`. */
static inline int
first_of_list(const char **text)
{
    const char *at = blanks(*text + 1);
    int is_over = *at == ']';
    *text = at + is_over;
    return is_over ? 0 : *at == '{' ? 1 : -1;
}

/* All of a list of objects; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_list(Reader *inner, const char **text)
{
    PyObject *found = PyList_New(0);
    int goes_on = found == NULL ? -1 : first_of_list(text);
    while (goes_on > 0) {
        PyObject *each = read_object(inner, text);
        goes_on = each == NULL || PyList_Append(found, each) ? -1 : next_of_list(text);
        Py_XDECREF(each);
    }
    if (goes_on < 0) {
        Py_CLEAR(found);
    }
    return found;
}

/* The fields of the only object of a list; -1 if it is unusual, perhaps with an exception set. */
static int
read_alone(const Field *field, const char **text, PyObject **values)
{
    return first_of_list(text) == 1 && !read_fields(field->inner, text, values + field->slot)
                   && next_of_list(text) == 0
               ? 0
               : -1;
}

/* A list of rows, each made by what its first value says, as the two lists of them; as `read_alone`. */
static int
read_sides(const Field *field, const char **text, PyObject **values)
{
    PyObject *first = PyTuple_GET_ITEM(PyTuple_GET_ITEM(field->inner->fields[0].words, 0), 1);
    values += field->slot;
    if (values[0] != NULL || (values[0] = PyList_New(0)) == NULL
        || (values[1] = PyList_New(0)) == NULL) {
        return -1;
    }
    int goes_on = first_of_list(text);
    while (goes_on > 0) {
        PyObject *found[MOST_FIELDS];
        Py_ssize_t count = field->inner->slots;
        memset(found, 0, (size_t)count * sizeof *found);
        goes_on = -1;
        if (!read_fields(field->inner, text, found)) {
            PyObject *row = PyObject_Vectorcall(found[0], found + 1, (size_t)count - 1, NULL);
            if (row != NULL && !PyList_Append(values[found[0] != first], row)) {
                goes_on = next_of_list(text);
            }
            Py_XDECREF(row);
        }
        drop_values(found, count);
    }
    return goes_on;
}

/* The number that begins at `*text`, whole or with a fraction, and moves behind it; NULL if it is
   unusual, perhaps with an exception set. */
static PyObject *
number_of(const Field *field, const char **text)
{
    const char *begin = *text, *digits = begin + (*begin == '-'), *at = digits, *point = NULL;
    long long number = 0;
    for (; at - digits <= LONGEST; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit > 9) {
            if (*at != '.' || point != NULL) {
                break;
            }
            point = at;
        }
        else if (at - digits <= MOST_DIGITS) {
            number = 10 * number + digit;
        }
    }
    *text = at;
    Py_ssize_t size = at - digits, whole = (point == NULL ? at : point) - digits;
    if (whole == 0 || (*digits == '0' && whole > 1) || point == at - 1 || size > LONGEST) {
        return NULL;
    }
    if (!(field->forms & FLOAT)) {
        return point != NULL || digits != begin || size > MOST_DIGITS || number > field->most
                   ? NULL
                   : PyLong_FromLongLong(number);
    }
    if (digits != begin && number == 0) {
        return NULL;
    }
    double value;
    if (FLT_EVAL_METHOD == 0 && size <= EXACT_DIGITS) {
        value = (double)number / powers[point == NULL ? 0 : at - point - 1];
        value = digits == begin ? value : -value;
    }
    else {
        /* It stops where this has stopped. */
        char *behind = NULL;
        value = PyOS_string_to_double(begin, &behind, NULL);
        if (behind != at) {
            PyErr_Clear();
            return NULL;
        }
    }
    return PyFloat_FromDouble(value);
}

/* What the word means that has these letters; NULL if it is none of those that may stand there. */
static PyObject *
word_of(const Field *field, const char *letters, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(field->words); i++) {
        PyObject *pair = PyTuple_GET_ITEM(field->words, i), *word = PyTuple_GET_ITEM(pair, 0);
        if (PyBytes_GET_SIZE(word) == size
            && memcmp(PyBytes_AS_STRING(word), letters, (size_t)size) == 0) {
            return Py_NewRef(PyTuple_GET_ITEM(pair, 1));
        }
    }
    return NULL;
}

/* The value of a text, quotes included; as `number_of`. */
static PyObject *
text_value(const Field *field, const char *at, Py_ssize_t size)
{
    const char *end = at + size - 1;
    if (field->forms & WORD) {
        return word_of(field, at + 1, size - 2);
    }
    if (field->forms & TEXT) {
        return size - 2 > field->most ? NULL : PyUnicode_FromStringAndSize(at + 1, size - 2);
    }
    if (!(field->forms & DECIMAL) || size > LONGEST || end_of_number(at + 1) != end) {
        return NULL;
    }
    PyObject *digits = PyUnicode_FromStringAndSize(at + 1, size - 2);
    PyObject *found = digits == NULL ? NULL : PyObject_Vectorcall(decimal_type, &digits, 1, NULL);
    Py_XDECREF(digits);
    return found;
}

/* The text that begins at `*text`; as `number_of`. */
static PyObject *
read_text(Field *field, const char **text)
{
    const char *at = *text, *end;
    /* The quote that ends the last token is in it. */
    if (field->meaning != NULL && field->token[0] == '"'
        && strncmp(at, field->token, (size_t)field->token_size) == 0) {
        *text = at + field->token_size;
        return Py_NewRef(field->meaning);
    }
    if (field->forms & QUOTED) {
        *text = at + 1;
        PyObject *number = number_of(field, text);
        if (number != NULL && **text != '"') {
            Py_CLEAR(number);
        }
        ++*text;
        return learn(field, at, *text - at, number);
    }
    if (!(field->forms & (TEXT | DECIMAL | WORD)) || (end = end_of_text(at + 1)) == NULL) {
        return NULL;
    }
    *text = end;
    return learn(field, at, end - at, text_value(field, at, end - at));
}

/* Whether a number does not end before this letter. */
static inline int
goes_on(char letter)
{
    return (letter >= '0' && letter <= '9') || letter == '.' || letter == 'e' || letter == 'E';
}

/* The value of a field; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_value(Field *field, const char **text)
{
    const char *at = *text, *end;
    PyObject *found;
    if (field->forms & RAW) {
        if ((end = end_of_value(at, 0)) == NULL) {
            return NULL;
        }
        *text = end;
        PyObject *bytes = PyBytes_FromStringAndSize(at, end - at);
        found = bytes == NULL ? NULL : PyObject_Vectorcall(raw_type, &bytes, 1, NULL);
        Py_XDECREF(bytes);
        return found;
    }
    switch (*at) {
    case '"':
        return read_text(field, text);
    case 't':
        *text = end_of_word(at, "true");
        return (field->forms & TRUTH) && *text != NULL ? Py_NewRef(Py_True) : NULL;
    case 'f':
        *text = end_of_word(at, "false");
        return (field->forms & TRUTH) && *text != NULL ? Py_NewRef(Py_False) : NULL;
    case 'n':
        *text = end_of_word(at, "null");
        return (field->forms & NOTHING) && *text != NULL ? Py_NewRef(Py_None) : NULL;
    case '{':
        return field->forms & OBJECT ? read_object(field->inner, text) : NULL;
    case '[':
        return field->forms & LIST ? read_list(field->inner, text) : NULL;
    default:
        if (field->meaning != NULL
            && strncmp(at, field->token, (size_t)field->token_size) == 0
            && !goes_on(at[field->token_size])) {
            *text = at + field->token_size;
            return Py_NewRef(field->meaning);
        }
        found = field->forms & (WHOLE | FLOAT) ? number_of(field, text) : NULL;
        if (found != NULL && goes_on(**text)) {
            Py_CLEAR(found);
        }
        return learn(field, at, *text - at, found);
    }
}

static inline int
is_named(const Field *field, const char *name, Py_ssize_t size)
{
    return field->size == size && field->letters[0] == name[0]
           && memcmp(field->letters, name, (size_t)size) == 0;
}

/* The field of that name, or NULL. */
static Field *
field_of(Reader *reader, const char *name, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; size > 0 && i < reader->count; i++) {
        if (is_named(&reader->fields[i], name, size)) {
            return &reader->fields[i];
        }
    }
    return NULL;
}

/* Moves from behind a value, or from the beginning of an object, to the next value: 1 with its field,
   which is NULL if it has none of these names; 0 behind the end of the object; -1 if it is unusual. */
static int
next_name(Reader *reader, Py_ssize_t place, const char **text, Field **field)
{
    const char *begin = *text, *at = blanks(begin);
    if (*at == '}') {
        *text = at + 1;
        return 0;
    }
    if (place > 0) {
        if (*at != ',') {
            return -1;
        }
        at = blanks(at + 1);
    }
    const char *name = at + 1, *end = *at == '"' ? end_of_text(name) : NULL;
    if (end == NULL || *(at = blanks(end)) != ':') {
        return -1;
    }
    *text = blanks(at + 1);
    *field = field_of(reader, name, end - 1 - name);
    if (place < MOST_FIELDS && *text - begin <= LONGEST) {
        Glue *glue = &reader->glues[place];
        glue->size = *text - begin;
        memcpy(glue->letters, begin, (size_t)glue->size);
        glue->field = *field;
    }
    return 1;
}

/* As `next_name`, where it is as the last time. */
static inline int
next_known(Reader *reader, Py_ssize_t place, const char **text, Field **field)
{
    if (place < MOST_FIELDS) {
        const Glue *glue = &reader->glues[place];
        /* It ends before what ends the payload, if that is shorter. */
        if (glue->size && strncmp(*text, glue->letters, (size_t)glue->size) == 0) {
            *text += glue->size;
            *field = glue->field;
            return 1;
        }
    }
    return next_name(reader, place, text, field);
}

/* The value of `field`, or the values that it has, into those of its struct; -1 if it is unusual,
   perhaps with an exception set. */
static int
read_into(Field *field, const char **text, PyObject **values)
{
    if (field->forms & (ALONE | SIDES)) {
        return **text != '[' ? -1 : field->forms & ALONE ? read_alone(field, text, values)
                                                         : read_sides(field, text, values);
    }
    PyObject *value = read_value(field, text);
    if (value == NULL) {
        return -1;
    }
    if (field->slot == NO_SLOT || values[field->slot] != NULL) {
        Py_DECREF(value);
        return field->slot == NO_SLOT ? 0 : -1;
    }
    values[field->slot] = value;
    return 0;
}

/* What stands for the fields that are absent; -1 if one may not be, or with an exception set. */
static int
fill(const Reader *reader, uint64_t found, PyObject **values)
{
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        const Field *field = &reader->fields[i];
        if (found >> i & 1) {
            continue;
        }
        if (field->absent == NULL) {
            return -1;
        }
        values[field->slot] = field->absent == (PyObject *)&PyList_Type ? PyList_New(0)
                                                                        : Py_NewRef(field->absent);
        if (values[field->slot] == NULL) {
            return -1;
        }
    }
    return 0;
}

/* The fields of an object, and moves behind it; -1 if it is unusual, perhaps with an exception
   set. */
static int
read_fields(Reader *reader, const char **text, PyObject **values)
{
    uint64_t found = 0;
    const char *at = *text + 1;
    Field *field;
    int goes_on;
    for (Py_ssize_t place = 0; (goes_on = next_known(reader, place, &at, &field)) > 0; place++) {
        if (field == NULL) {
            if ((at = end_of_value(at, 0)) == NULL) {
                return -1;
            }
            continue;
        }
        uint64_t bit = (uint64_t)1 << (field - reader->fields);
        if ((found & bit) || read_into(field, &at, values)) {
            return -1;
        }
        found |= bit;
    }
    *text = at;
    return goes_on < 0 ? -1 : fill(reader, found, values);
}

/* The struct with these values, which it may take; NULL with an exception set. */
static PyObject *
struct_of(Reader *reader, PyObject **values)
{
    size_t slots = (size_t)reader->slots;
#ifndef Py_LIMITED_API
    if (reader->is_laid_out) {
        PyObject *made = PyType_GenericAlloc((PyTypeObject *)reader->kind, 0);
        for (size_t i = 0; made != NULL && i < slots; i++) {
            *(PyObject **)((char *)made + reader->offsets[i]) = values[i];
            values[i] = NULL;
        }
        return made;
    }
#endif
    return reader->names == Py_None
               ? PyObject_Vectorcall(reader->kind, values, slots, NULL)
               : PyObject_Vectorcall(reader->kind, values, 0, reader->names);
}

/* An object, and moves behind it; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_object(Reader *reader, const char **text)
{
    PyObject *values[MOST_FIELDS];
    memset(values, 0, (size_t)reader->slots * sizeof *values);
    PyObject *made = read_fields(reader, text, values) ? NULL : struct_of(reader, values);
    drop_values(values, reader->slots);
    return made;
}

PyDoc_STRVAR(decode_doc, "decode(payload)\n--\n\nThe struct, or the list of structs.");

/* What is in `payload`; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_payload(Reader *reader, PyObject *payload)
{
    const char *text = PyBytes_AS_STRING(payload), *end = text + PyBytes_GET_SIZE(payload);
    text = blanks(text);
    if (*text != (reader->is_list ? '[' : '{')) {
        return NULL;
    }
    PyObject *found = reader->is_list ? read_list(reader, &text) : read_object(reader, &text);
    if (found != NULL && blanks(text) != end) {
        Py_CLEAR(found);
    }
    return found;
}

static PyObject *
decode(Reader *reader, PyObject *payload)
{
    PyObject *found = PyBytes_CheckExact(payload) ? read_payload(reader, payload) : NULL;
    return found != NULL || PyErr_Occurred() ? found
                                             : PyObject_CallOneArg(reader->otherwise, payload);
}

static void
drop(Reader *reader)
{
    PyTypeObject *type = Py_TYPE(reader);
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        Field *field = &reader->fields[i];
        Py_XDECREF(field->name);
        Py_XDECREF(field->absent);
        Py_XDECREF(field->words);
        Py_XDECREF((PyObject *)field->inner);
        Py_XDECREF(field->meaning);
    }
    PyMem_Free(reader->fields);
    Py_XDECREF(reader->kind);
    Py_XDECREF(reader->names);
    Py_XDECREF(reader->otherwise);
    PyObject_Free(reader);
    Py_DECREF(type);
}

/* Whether the rows of two sides are made by what their first value says. */
static int
are_sided(const Reader *rows)
{
    const Field *side = rows->fields;
    return rows->count > 0 && (side->forms & WORD) && side->slot == 0 && side->absent == NULL
           && PyTuple_GET_SIZE(side->words) > 0;
}

/* Notes in `taken` the slots of `field`; -1 if they are not among the first `slots`, or are another
   field's. */
static int
take_slots(const Field *field, Py_ssize_t slots, uint64_t *taken)
{
    int is_spread = field->forms & (ALONE | SIDES);
    if (is_spread && field->absent != NULL) {
        return -1;
    }
    if (field->slot == NO_SLOT) {
        return is_spread || field->absent != NULL ? -1 : 0;
    }
    Py_ssize_t count = field->forms & ALONE ? field->inner->slots : field->forms & SIDES ? 2 : 1;
    if (field->slot < 0 || field->slot + count > slots
        || ((field->forms & SIDES) && !are_sided(field->inner))) {
        return -1;
    }
    uint64_t own = (((uint64_t)1 << count) - 1) << field->slot;
    int is_free = !(*taken & own);
    *taken |= own;
    return is_free ? 0 : -1;
}

/* Whether `words` are pairs of bytes and what they mean. */
static int
are_words(PyObject *words)
{
    int are = PyTuple_Check(words);
    for (Py_ssize_t i = 0; are && i < PyTuple_GET_SIZE(words); i++) {
        PyObject *pair = PyTuple_GET_ITEM(words, i);
        are = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2
              && PyBytes_Check(PyTuple_GET_ITEM(pair, 0));
    }
    return are;
}

#ifndef Py_LIMITED_API
/* Where in objects of `kind` the values of the field called `name` lie; 0 if that is not known. */
static Py_ssize_t
offset_of(PyTypeObject *kind, PyObject *name)
{
    for (Py_ssize_t i = 0; kind->tp_mro != NULL && i < PyTuple_GET_SIZE(kind->tp_mro); i++) {
        PyObject *inside = ((PyTypeObject *)PyTuple_GET_ITEM(kind->tp_mro, i))->tp_dict;
        PyObject *found = inside == NULL ? NULL : PyDict_GetItemWithError(inside, name);
        if (found == NULL || Py_TYPE(found) != &PyMemberDescr_Type) {
            continue;
        }
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : 0;
    }
    return 0;
}

/* Notes where the values lie, of a struct of msgspec that does nothing with them but hold them. */
static void
lay_out(Reader *reader, PyObject *names)
{
    PyTypeObject *kind = (PyTypeObject *)reader->kind;
    reader->is_laid_out = PyType_Check(reader->kind) && PyTuple_Check(names)
                          && PyTuple_GET_SIZE(names) == reader->slots
                          && !PyType_HasFeature(kind, Py_TPFLAGS_HAVE_GC);
    for (Py_ssize_t i = 0; reader->is_laid_out && i < reader->slots; i++) {
        reader->offsets[i] = offset_of(kind, PyTuple_GET_ITEM(names, i));
        reader->is_laid_out = reader->offsets[i] > 0;
    }
    PyErr_Clear();
}
#endif

/* The next field of `reader` from what describes it; -1 with an exception set. */
static int
add_field(Reader *reader, PyObject *described, uint64_t *taken)
{
    Field *field = &reader->fields[reader->count];
    PyObject *name, *absent, *inner, *words;
    int required;
    if (!PyTuple_Check(described)
        || !PyArg_ParseTuple(described, "SiipOOLO", &name, &field->forms, &field->slot, &required,
                             &absent, &inner, &field->most, &words)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a field is a tuple");
        }
        return -1;
    }
    int has_inner = Py_TYPE(inner) == Py_TYPE((PyObject *)reader);
    field->name = Py_NewRef(name);
    field->letters = PyBytes_AS_STRING(name);
    field->size = PyBytes_GET_SIZE(name);
    field->absent = required ? NULL : Py_NewRef(absent);
    field->inner = has_inner ? (Reader *)Py_NewRef(inner) : NULL;
    field->words = are_words(words) ? Py_NewRef(words) : NULL;
    reader->count++;
    if ((field->forms & (OBJECT | LIST | ALONE | SIDES)) && !has_inner) {
        PyErr_SetString(PyExc_TypeError, "no reader of what is in a field");
        return -1;
    }
    if (((field->forms & WORD) && field->words == NULL)
        || take_slots(field, reader->slots, taken)) {
        PyErr_SetString(PyExc_TypeError, "a field has no words, or no slot of its own");
        return -1;
    }
    return 0;
}

/* Decoder(kind, names, by_place, slots, fields, otherwise, is_list): the struct and the names of its
   values; whether it takes them by their places; how many there are; of each field its name, its
   forms, its slot, whether it is required, what stands for an absent one (`list` for an empty list),
   the reader of what is in it, or None, the largest number or longest text, and its words; what
   decodes unusual payloads; and whether payloads are lists of the struct. */
static PyObject *
make(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *kind, *names, *fields, *otherwise = Py_None;
    Py_ssize_t slots;
    int is_list = 0, by_place;
    if (named != NULL && PyDict_Size(named) > 0) {
        PyErr_SetString(PyExc_TypeError, "Decoder takes its arguments by place");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OOpnO!|Op", &kind, &names, &by_place, &slots, &PyTuple_Type, &fields,
                          &otherwise, &is_list)) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(fields);
    if (count > MOST_FIELDS || slots < 0 || slots > MOST_FIELDS
        || !PyTuple_Check(names) || PyTuple_GET_SIZE(names) != slots) {
        PyErr_SetString(PyExc_ValueError, "too many fields, or not as many names as slots");
        return NULL;
    }
    Reader *reader = PyObject_New(Reader, type);
    if (reader == NULL) {
        return NULL;
    }
    reader->kind = Py_NewRef(kind);
    reader->names = Py_NewRef(by_place ? Py_None : names);
    reader->otherwise = Py_NewRef(otherwise);
    reader->slots = slots;
    reader->is_list = is_list;
    reader->count = 0;
    memset(reader->glues, 0, sizeof(reader->glues));
    reader->fields = PyMem_Calloc((size_t)(count ? count : 1), sizeof(Field));
    if (reader->fields == NULL) {
        Py_DECREF(reader);
        return PyErr_NoMemory();
    }
    uint64_t taken = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (add_field(reader, PyTuple_GET_ITEM(fields, i), &taken)) {
            Py_DECREF(reader);
            return NULL;
        }
    }
    if (taken != ((uint64_t)1 << slots) - 1) {
        Py_DECREF(reader);
        PyErr_SetString(PyExc_ValueError, "a slot has no field");
        return NULL;
    }
#ifndef Py_LIMITED_API
    lay_out(reader, names);
#endif
    return (PyObject *)reader;
}

static PyMethodDef methods[] = {
    {"decode", (PyCFunction)decode, METH_O, decode_doc},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, drop},
    {Py_tp_methods, methods},
    {Py_tp_doc, "Reads structs of one kind."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "connector.exchanges._usual_json.Decoder",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static PyObject *
attribute_of(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *attribute = found == NULL ? NULL : PyObject_GetAttrString(found, name);
    Py_XDECREF(found);
    return attribute;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "connector.exchanges._usual_json",
    .m_doc = "Structs out of JSON of the usual form, in C.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__usual_json(void)
{
    if (reader_type == NULL) {
        reader_type = (PyTypeObject *)PyType_FromSpec(&spec);
    }
    for (int letter = ' '; letter <= '~'; letter++) {
        is_plain[letter] = letter != '"' && letter != '\\';
    }
    decimal_type = attribute_of("decimal", "Decimal");
    raw_type = decimal_type == NULL ? NULL : attribute_of("msgspec", "Raw");
    if (reader_type == NULL || raw_type == NULL) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddObjectRef(module, "Decoder", (PyObject *)reader_type)) {
        Py_CLEAR(module);
    }
    return module;
}
