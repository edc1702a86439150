// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch DIR NAME…: the lab's Ethernet switch, in user space, so that links can be cut, delayed,
 * thinned out and slowed down from outside the machines with nothing changed on the host.
 *
 *	QEMU home ── DIR/home.port ──┐
 *	QEMU lender ─ DIR/lender.port ┴─ switch ── DIR/control ── lab net
 *
 * A port is a stream socket of QEMU's `-netdev stream`: every frame is headed by its length, 4
 * bytes in network order.  A machine may come and go; its port stays.  For every ordered pair of
 * ports there is a link with its own faults and a queue of frames with the time at which each is
 * due, so delay keeps the order.  A queue too long drops what comes, as a switch does.
 *
 * On DIR/control a connection sends one line and gets the answer:
 *	set A B up|down|clear, set A B delay MS|loss PERCENT|rate BITS	(both directions)
 *	show			one line per link that has carried frames or has a fault
 * An answer begins with "ok" or "error".  Goes into the background once the sockets exist;
 * DIR/switch.pid.  Called by net.sh.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../frame.h"

#define MAX_PORTS 16
#define MAX_FRAME 65550
#define LENGTH_SIZE 4
#define MAC_SIZE 6
#define MAX_MACS 64
#define LINK_QUEUE_BYTES (4U << 20)
#define PORT_QUEUE_BYTES (4U << 20)
#define READ_SIZE (256U << 10)
#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

struct packet {
	struct packet *next;
	uint64_t due_ns;
	uint32_t len;		/* with the length in front */
	unsigned char data[];
};

struct link {
	bool is_down;
	uint64_t delay_ns;
	double loss;		/* 0 to 1 */
	uint64_t rate;		/* bits per second, 0 for no limit */
	uint64_t free_ns;	/* when the rate lets the next frame begin */
	uint64_t frames, bytes, dropped;
	struct packet *first, **last;
	uint32_t queued;
};

struct port {
	const char *name;
	int listener;
	int fd;			/* -1: no machine */
	struct queue in, out;
};

static struct port ports[MAX_PORTS];
static struct link links[MAX_PORTS][MAX_PORTS];
static int port_count;
static struct { unsigned char mac[MAC_SIZE]; int port; } macs[MAX_MACS];
static int mac_count;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int listen_on(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(path);
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, 16))
		die_of(path);
	return fd;
}

static void deliver(int to, const unsigned char *data, size_t len)
{
	struct port *p = &ports[to];

	if (p->fd < 0)
		return;
	queue_put(&p->out, data, len);
}

/* Sends a frame, its length in front, over one link; the faults of the link apply here. */
static void send_over(int from, int to, const unsigned char *data, uint32_t len)
{
	struct link *l = &links[from][to];
	uint64_t now;
	struct packet *p;

	if (l->is_down || (l->loss > 0 && drand48() < l->loss) ||
	    queue_len(&ports[to].out) > PORT_QUEUE_BYTES || l->queued > LINK_QUEUE_BYTES) {
		l->dropped++;
		return;
	}
	l->frames++;
	l->bytes += len - LENGTH_SIZE;
	if (!l->delay_ns && !l->rate && !l->first) {
		deliver(to, data, len);
		return;
	}

	now = now_ns();
	p = malloc(sizeof(*p) + len);
	if (!p)
		die_of("memory");
	p->next = NULL;
	p->due_ns = now;
	if (l->rate) {
		if (l->free_ns < now)
			l->free_ns = now;
		l->free_ns += (uint64_t)(len - LENGTH_SIZE) * 8 * NS_PER_S / l->rate;
		p->due_ns = l->free_ns;
	}
	p->due_ns += l->delay_ns;
	p->len = len;
	memcpy(p->data, data, len);
	*l->last = p;
	l->last = &p->next;
	l->queued += len;
}

static int port_of(const unsigned char *mac)
{
	int i;

	for (i = 0; i < mac_count; i++)
		if (!memcmp(macs[i].mac, mac, MAC_SIZE))
			return macs[i].port;
	return -1;
}

static void learn(const unsigned char *mac, int port)
{
	int i;

	if (mac[0] & 1)
		return;
	for (i = 0; i < mac_count && memcmp(macs[i].mac, mac, MAC_SIZE); i++)
		;
	if (i == MAX_MACS)
		return;	/* frames to it go to all ports */
	if (i == mac_count)
		mac_count++;
	memcpy(macs[i].mac, mac, MAC_SIZE);
	macs[i].port = port;
}

static void forward(int from, const unsigned char *data, uint32_t len)
{
	const unsigned char *frame = data + LENGTH_SIZE;
	int to, i;

	if (len < LENGTH_SIZE + 2 * MAC_SIZE)
		return;
	learn(frame + MAC_SIZE, from);
	to = frame[0] & 1 ? -1 : port_of(frame);
	for (i = 0; i < port_count; i++)
		if (i != from && (to < 0 || to == i))
			send_over(from, i, data, len);
}

static void close_port(struct port *p)
{
	close(p->fd);
	p->fd = -1;
	queue_free(&p->in);
	queue_free(&p->out);
}

static void read_port(int index)
{
	struct port *p = &ports[index];
	ssize_t n = queue_read(&p->in, p->fd, READ_SIZE);

	if (!n || (n < 0 && n != -EAGAIN)) {
		close_port(p);
		return;
	}
	while (queue_len(&p->in) >= LENGTH_SIZE) {
		const unsigned char *data = (unsigned char *)p->in.data + p->in.start;
		uint32_t len;

		memcpy(&len, data, sizeof(len));
		len = ntohl(len);
		if (len > MAX_FRAME) {
			fprintf(stderr, "%s: a frame of %u bytes\n", p->name, len);
			close_port(p);
			return;
		}
		if (queue_len(&p->in) < LENGTH_SIZE + len)
			return;
		p->in.start += LENGTH_SIZE + len;
		forward(index, data, LENGTH_SIZE + len);
	}
}

/* Delivers all that is due; returns nanoseconds until the next frame is, or UINT64_MAX. */
static uint64_t run_links(void)
{
	uint64_t now = now_ns(), next = UINT64_MAX;
	int from, to;

	for (from = 0; from < port_count; from++) {
		for (to = 0; to < port_count; to++) {
			struct link *l = &links[from][to];

			while (l->first && l->first->due_ns <= now) {
				struct packet *p = l->first;

				l->first = p->next;
				if (!l->first)
					l->last = &l->first;
				l->queued -= p->len;
				deliver(to, p->data, p->len);
				free(p);
			}
			if (l->first && l->first->due_ns - now < next)
				next = l->first->due_ns - now;
		}
	}
	return next;
}

/* A cut cable loses what is under way. */
static void empty_link(struct link *l)
{
	while (l->first) {
		struct packet *p = l->first;

		l->first = p->next;
		free(p);
		l->dropped++;
	}
	l->last = &l->first;
	l->queued = 0;
}

static int find_port(const char *name)
{
	int i;

	for (i = 0; i < port_count; i++)
		if (!strcmp(ports[i].name, name))
			return i;
	return -1;
}

/* Values were checked by net.sh, which knows what the person typed. */
static void set_link(struct link *l, const char *what, double value)
{
	if (!strcmp(what, "down")) {
		l->is_down = true;
		empty_link(l);
	} else if (!strcmp(what, "up")) {
		l->is_down = false;
	} else if (!strcmp(what, "clear")) {
		l->is_down = false;
		l->delay_ns = 0;
		l->loss = 0;
		l->rate = 0;
	} else if (!strcmp(what, "delay")) {
		l->delay_ns = (uint64_t)(value * (double)NS_PER_MS);
	} else if (!strcmp(what, "loss")) {
		l->loss = value / 100;
	} else if (!strcmp(what, "rate")) {
		l->rate = (uint64_t)value;
		l->free_ns = 0;
	}
}

static void show_links(FILE *f)
{
	int a, b;

	for (a = 0; a < port_count; a++) {
		for (b = 0; b < port_count; b++) {
			struct link *l = &links[a][b];

			if (a == b)
				continue;
			fprintf(f, "%s %s %s", ports[a].name, ports[b].name, l->is_down ? "down" : "up");
			if (l->delay_ns)
				fprintf(f, " delay %g", (double)l->delay_ns / (double)NS_PER_MS);
			if (l->loss > 0)
				fprintf(f, " loss %g", l->loss * 100);
			if (l->rate)
				fprintf(f, " rate %llu", (unsigned long long)l->rate);
			fprintf(f, " frames %llu bytes %llu dropped %llu\n", (unsigned long long)l->frames,
				(unsigned long long)l->bytes, (unsigned long long)l->dropped);
		}
	}
}

static void control(int listener)
{
	char line[256], a[64], b[64], what[16];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), from, to;
	double value = 0;
	ssize_t n;
	FILE *f;

	if (fd < 0)
		return;
	n = read(fd, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = 0;
	f = fdopen(fd, "w");
	if (!f)
		die_of("control");
	if (!strcmp(line, "show\n")) {
		fprintf(f, "ok\n");
		show_links(f);
	} else if (sscanf(line, "set %63s %63s %15s %lf", a, b, what, &value) < 3) {
		fprintf(f, "error '%.*s' is no request\n", (int)strcspn(line, "\n"), line);
	} else if ((from = find_port(a)) < 0 || (to = find_port(b)) < 0 || from == to) {
		fprintf(f, "error there is no link between '%s' and '%s'\n", a, b);
	} else {
		set_link(&links[from][to], what, value);
		set_link(&links[to][from], what, value);
		fprintf(f, "ok\n");
	}
	fclose(f);
}

static void accept_machine(struct port *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (p->fd >= 0)
		close_port(p);	/* of a QEMU that is gone: a machine has one */
	p->fd = fd;
}

static void serve(int control_fd)
{
	struct pollfd fds[1 + 2 * MAX_PORTS];
	int i;

	for (;;) {
		uint64_t next = run_links();
		struct timespec ts = { .tv_sec = (time_t)(next / NS_PER_S),
				       .tv_nsec = (long)(next % NS_PER_S) };

		fds[0] = (struct pollfd){ .fd = control_fd, .events = POLLIN };
		for (i = 0; i < port_count; i++) {
			struct port *p = &ports[i];

			fds[1 + 2 * i] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = p->fd, .events =
				(short)(POLLIN | (queue_len(&p->out) ? POLLOUT : 0)) };
		}
		if (ppoll(fds, 1 + 2 * (nfds_t)port_count,
			  next == UINT64_MAX ? NULL : &ts, NULL) < 0 && errno != EINTR)
			die_of("poll");

		for (i = 0; i < port_count; i++) {
			struct port *p = &ports[i];

			if (p->fd >= 0 && fds[2 + 2 * i].revents & (POLLIN | POLLHUP | POLLERR))
				read_port(i);
			if (fds[1 + 2 * i].revents)
				accept_machine(p);
		}
		for (i = 0; i < port_count; i++) {
			struct port *p = &ports[i];

			if (p->fd >= 0 && queue_write(&p->out, p->fd, SIZE_MAX) < 0)
				close_port(p);
		}
		if (fds[0].revents)
			control(control_fd);
	}
}

int main(int argc, char **argv)
{
	int i, j, control_fd, fd;
	char path[80];
	FILE *f;
	pid_t pid;

	if (argc < 3 || argc - 2 > MAX_PORTS) {
		fprintf(stderr, "usage: switch DIR NAME… (at most %d)\n", MAX_PORTS);
		return 2;
	}
	close_range(3, ~0U, 0);
	if (chdir(argv[1]))
		die_of(argv[1]);
	port_count = argc - 2;
	for (i = 0; i < port_count; i++) {
		ports[i].name = argv[2 + i];
		ports[i].fd = -1;
		snprintf(path, sizeof(path), "%.60s.port", argv[2 + i]);
		ports[i].listener = listen_on(path);
		for (j = 0; j < port_count; j++)
			links[i][j].last = &links[i][j].first;
	}
	control_fd = listen_on("control");

	pid = fork();
	if (pid < 0)
		die_of("fork");
	if (pid)
		return 0;
	setsid();
	f = fopen("switch.pid", "we");
	if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
		die_of("switch.pid");
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	fd = open("switch.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	signal(SIGPIPE, SIG_IGN);
	srand48(argc);	/* the same losses in every run */
	serve(control_fd);
}
