/* Owns what a value on the command line must look like. */
#include "values.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#define LONGEST_ID 64
#define LONGEST_HEAD 2048 /* the whole record stays below one page and PIPE_BUF */

bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > most)
			return false;
	}
	*out = value;
	return true;
}

bool is_path(const char *text)
{
	size_t parts = 0;

	if (*text != '/' || strlen(text) >= PATH_MAX)
		return false;
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	while (*text != '\0') {
		text += strspn(text, "/");
		size_t length = strcspn(text, "/");
		if (length == 0)
			break;
		if ((length == 1 && text[0] == '.') || (length == 2 && text[0] == '.' && text[1] == '.'))
			return false;
		parts++;
		text += length;
	}
	return parts > 0;
}

static bool is_word(const char *text, size_t length, const char *extra)
{
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		const char c = text[i];
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!plain && (c == '\0' || strchr(extra, c) == NULL))
			return false;
	}
	return true;
}

bool is_id(const char *text)
{
	const size_t length = strlen(text);

	return length <= LONGEST_ID && is_word(text, length, "_-");
}

bool is_head(const char *text)
{
	if (strlen(text) > LONGEST_HEAD)
		return false;
	for (;;) {
		const size_t length = strcspn(text, " ");
		if (!is_word(text, length, "_.:=-"))
			return false;
		if (text[length] == '\0')
			return true;
		text += length + 1;
	}
}

bool is_variable(const char *text)
{
	const size_t length = strcspn(text, "=");

	return text[length] == '=' && is_word(text, length, "_") && strncmp(text, "PATH=", 5) != 0 &&
	       strncmp(text, "LD_", 3) != 0;
}

bool is_numbers(const char *text)
{
	size_t numbers = 0;

	while (*text != '\0') {
		const size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 10 || (text[digits] != ' ' && text[digits] != '\0'))
			return false;
		text += digits + (text[digits] == ' ');
		numbers++;
	}
	return numbers > 0 && numbers <= 12 && numbers % 3 == 0;
}

bool parse_limit(char *text, struct limit *out)
{
	char *value = strchr(text, ':');
	char *path = value == NULL ? NULL : strchr(value + 1, ':');

	if (path == NULL || value != text + 1 || strchr("s" LIMIT_LETTERS, *text) == NULL)
		return false;
	*path++ = '\0';
	*out = (struct limit){ .letter = *text == 's' ? 'm' : *text, .swap = *text == 's', .value = value + 1, .path = path };
	return *out->value != '\0' && is_path(path);
}

bool parse_way(char *text, struct way *out)
{
	uint32_t *const ids[] = { &out->users[0], &out->users[1], &out->group };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char *end = strchr(text, ':');
		uint64_t id;

		if (end == NULL)
			return false;
		*end = '\0';
		/* The highest stands for nobody in particular (acl(5)), and 0 passes everywhere. */
		if (!parse_number(text, UINT32_MAX - 1, &id) || id == 0)
			return false;
		*ids[i] = (uint32_t)id;
		text = end + 1;
	}
	out->folder = text;
	return is_path(text);
}

static bool parse_port(const char *text, in_port_t *out)
{
	uint64_t number;

	if (!parse_number(text, UINT16_MAX, &number) || number == 0)
		return false;
	*out = htons((uint16_t)number);
	return true;
}

static bool parse_host(const char *address, const char *port, struct publication *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&out->host;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->host;

	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		out->size = sizeof(*four);
		return parse_port(port, &four->sin_port);
	}
	six->sin6_family = AF_INET6;
	out->size = sizeof(*six);
	return inet_pton(AF_INET6, address, &six->sin6_addr) == 1 && parse_port(port, &six->sin6_port);
}

bool parse_publication(char *text, struct publication *out)
{
	char address[INET6_ADDRSTRLEN];
	char *port = strchr(text, '=');
	char *inside = port == NULL ? NULL : strchr(port + 1, '=');

	if (inside == NULL || (size_t)(port - text) >= sizeof(address))
		return false;
	*inside++ = '\0';
	*out = (struct publication){ .text = text };
	memcpy(address, text, (size_t)(port - text));
	address[port - text] = '\0';
	return parse_host(address, port + 1, out) && parse_port(inside, &out->inside);
}
