// SPDX-License-Identifier: GPL-2.0-only
/*
 * status.c: asks the lender of processors how it fares, about once a second.
 *
 * There is one question at a time, and none while there is no lane.  A question
 * that a lane took with it is not sent again: by then another is due.
 */
#include <linux/jiffies.h>
#include "cpu.h"

/* Between two questions. */
#define ASK_MS		1000
/* A lane that does not answer for so long is replaced. */
#define TIMEOUT_MS	20000

struct workqueue_struct *sdv_cpu_wq;

/*
 * The question is over when it was answered, or its lane went down, AND the lane
 * has given the message back.  Return: the lane, to be put outside of the lock.
 */
static struct sdv_lane *settle(struct sdv_cpu *cpu)
{
	struct sdv_lane *lane = cpu->lane;

	lockdep_assert_held(&cpu->lock);
	if (!lane || cpu->is_owned || cpu->is_receiving || !cpu->is_over)
		return NULL;
	cpu->lane = NULL;
	return lane;
}

static void put(struct sdv_lane *lane)
{
	if (lane)
		sdv_lane_put(lane);
}

static void sent(struct sdv_lane *lane, struct sdv_msg *msg, int error)
{
	struct sdv_cpu *cpu = container_of(msg, struct sdv_cpu, msg);
	struct sdv_lane *over;

	/* With an error, lane_down() follows. */
	spin_lock(&cpu->lock);
	cpu->is_owned = false;
	over = settle(cpu);
	spin_unlock(&cpu->lock);
	put(over);
}

static int check(const struct sdv_cpu *cpu, const struct sdv_lane *lane,
		 const struct superdev_frame *hdr)
{
	u32 length = hdr->status ? 0 : sizeof(cpu->status);

	if (cpu->lane != lane || cpu->is_receiving || cpu->is_over)
		return -EPROTO;
	if (!(le16_to_cpu(hdr->flags) & SUPERDEV_F_REPLY) || hdr->op != SUPERDEV_CPU_STATUS ||
	    hdr->tag || hdr->seq != cpu->msg.hdr.seq)
		return -EPROTO;
	if (le32_to_cpu(hdr->status) == SUPERDEV_ST_STALE)
		return -ESTALE;
	return le32_to_cpu(hdr->length) == length ? 0 : -EPROTO;
}

static int header(struct sdv_device *sdev, struct sdv_lane *lane,
		  const struct superdev_frame *hdr,
		  struct iov_iter *ret_payload, void **ret_cookie)
{
	struct sdv_cpu *cpu = dev_get_drvdata(&sdev->dev);
	int error;

	spin_lock(&cpu->lock);
	error = check(cpu, lane, hdr);
	if (!error)
		cpu->is_receiving = true;
	spin_unlock(&cpu->lock);
	if (error)
		return error;
	cpu->answer.iov_base = &cpu->status;
	cpu->answer.iov_len = le32_to_cpu(hdr->length);
	iov_iter_kvec(ret_payload, ITER_DEST, &cpu->answer, 1, cpu->answer.iov_len);
	*ret_cookie = cpu;
	return 0;
}

/* What was answered, made known.  Return: 0, or -EPROTO where it can't be true. */
static int take(struct sdv_cpu *cpu)
{
	struct sdv_load load = { .time = ktime_get_boottime_ns() };
	int error;

	lockdep_assert_held(&cpu->lock);
	load.cpus = cpu->config.cpus;
	error = sdv_cpu_status_parse(&cpu->status, &load);
	if (!error)
		sdv_device_set_load(cpu->sdev, &load);
	return error;
}

static void done(struct sdv_device *sdev, struct sdv_lane *lane,
		 const struct superdev_frame *hdr, void *cookie, int error)
{
	struct sdv_cpu *cpu = cookie;
	struct sdv_lane *over;

	spin_lock(&cpu->lock);
	/* Where the lender could not say, what it said before gets older. */
	if (!error && !hdr->status)
		error = take(cpu);
	cpu->is_receiving = false;
	cpu->is_over = !error;
	over = settle(cpu);
	spin_unlock(&cpu->lock);
	if (error == -EPROTO)
		sdv_lane_kill(lane, -EPROTO);
	put(over);
}

const struct sdv_lane_ops sdv_cpu_lane_ops = {
	.header	= header,
	.done	= done,
};

/* Return: true where @lane is one that lane_down() will be called for. */
static bool prepare(struct sdv_cpu *cpu, struct sdv_lane *lane)
{
	struct superdev_frame *hdr = &cpu->msg.hdr;
	bool is_ours;

	spin_lock(&cpu->lock);
	/* One that came after the last of ours went is a later driver's. */
	is_ours = cpu->nr_lanes;
	if (!is_ours)
		goto unlock;
	memset(hdr, 0, sizeof(*hdr));
	hdr->op = SUPERDEV_CPU_STATUS;
	hdr->seq = cpu_to_le64(++cpu->seq);
	iov_iter_kvec(&cpu->msg.payload, ITER_SOURCE, NULL, 0, 0);
	cpu->lane = lane;
	cpu->asked = jiffies;
	cpu->is_owned = true;
	cpu->is_over = false;
unlock:
	spin_unlock(&cpu->lock);
	return is_ours;
}

static void ask(struct sdv_cpu *cpu)
{
	struct sdv_lane *lane = sdv_lane_get(cpu->sdev, 0);

	if (!lane)
		return;
	if (!prepare(cpu, lane)) {
		sdv_lane_put(lane);
		return;
	}
	if (!sdv_lane_send(lane, &cpu->msg, true)) {
		sdv_lane_push(lane);
		return;
	}
	/* Dead; lane_down() leaves to us what is owned. */
	spin_lock(&cpu->lock);
	cpu->is_owned = false;
	cpu->lane = NULL;
	spin_unlock(&cpu->lock);
	sdv_lane_put(lane);
}

static void work(struct work_struct *item)
{
	struct sdv_cpu *cpu = container_of(to_delayed_work(item), struct sdv_cpu, work);
	bool is_late = false;

	spin_lock(&cpu->lock);
	if (cpu->lane) {
		is_late = time_after(jiffies, cpu->asked + msecs_to_jiffies(TIMEOUT_MS));
		/* The reference is the question's, which can't be over before we let go. */
		if (is_late)
			sdv_lane_kill(cpu->lane, -ETIMEDOUT);
		spin_unlock(&cpu->lock);
	} else {
		spin_unlock(&cpu->lock);
		ask(cpu);
	}
	spin_lock(&cpu->lock);
	/* Without lanes lane_up() begins again. */
	if (cpu->nr_lanes)
		queue_delayed_work(sdv_cpu_wq, &cpu->work, msecs_to_jiffies(ASK_MS));
	spin_unlock(&cpu->lock);
}

/**
 * sdv_cpu_lane_up() - a lane can carry questions
 * @sdev: the device
 * @lane: the lane
 *
 * Context: lane_mutex held.
 */
void sdv_cpu_lane_up(struct sdv_device *sdev, struct sdv_lane *lane)
{
	struct sdv_cpu *cpu = dev_get_drvdata(&sdev->dev);

	spin_lock(&cpu->lock);
	/* The figures are old, or there are none. */
	if (!cpu->nr_lanes++)
		mod_delayed_work(sdv_cpu_wq, &cpu->work, 0);
	spin_unlock(&cpu->lock);
}

/**
 * sdv_cpu_lane_down() - a lane is no more, and with it the question that it had
 * @sdev: the device
 * @lane: the lane
 *
 * Context: lane_mutex held.
 */
void sdv_cpu_lane_down(struct sdv_device *sdev, struct sdv_lane *lane)
{
	struct sdv_cpu *cpu = dev_get_drvdata(&sdev->dev);
	struct sdv_lane *over = NULL;

	spin_lock(&cpu->lock);
	cpu->nr_lanes--;
	/* Owned still: ask() is about to be refused. */
	if (cpu->lane == lane && !cpu->is_owned) {
		cpu->is_over = true;
		over = settle(cpu);
	}
	spin_unlock(&cpu->lock);
	put(over);
}

/**
 * sdv_cpu_status_init() - before the first lane is up
 * @cpu: zeroed but for its sdev and config
 */
void sdv_cpu_status_init(struct sdv_cpu *cpu)
{
	spin_lock_init(&cpu->lock);
	INIT_DELAYED_WORK(&cpu->work, work);
	cpu->msg.sent = sent;
}

/**
 * sdv_cpu_status_stop() - nothing is asked any more
 * @cpu: whose lanes are down
 *
 * Inside may still be the work.  It finds no lane of ours, so it sends nothing,
 * and what it was about to send is refused, as that lane is dead.
 *
 * Context: sleeps.
 */
void sdv_cpu_status_stop(struct sdv_cpu *cpu)
{
	cancel_delayed_work_sync(&cpu->work);
}
