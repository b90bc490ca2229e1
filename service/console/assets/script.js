// The script of the console. Pages work without it: it refreshes parts, sorts tables, and
// sends filters when they change.
"use strict";

(() => {
	const busy = new Set();

	// current is the part of an id that is shown: of several, the last.
	const current = (id) => {
		const all = document.querySelectorAll(`.part[data-part="${CSS.escape(id)}"]`);
		return all[all.length - 1];
	};

	// tidy drops what later parts have replaced, and puts the parts into their order, for
	// who reads a page with its elements and not with its style.
	const tidy = () => {
		for (const parts of document.querySelectorAll(".parts")) {
			const number = (e) => Number(/(?:^| )p(\d+)/.exec(e.className)?.[1] ?? 0);
			const last = new Map();
			for (const e of parts.querySelectorAll(":scope > .part")) {
				last.get(e.dataset.part)?.remove();
				last.set(e.dataset.part, e);
			}
			const focused = document.activeElement;
			const sorted = [...last.values()].sort((a, b) => number(a) - number(b));
			if (sorted.some((e, i) => parts.children[i] !== e)) {
				parts.append(...sorted);
				if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
			}
		}
	};

	// refresh gets one part again, and leaves it as it is where that fails.
	const refresh = async (part) => {
		const id = part.dataset.part;
		if (busy.has(id) || document.hidden || part.contains(document.activeElement)) return;
		busy.add(id);
		try {
			const answer = await fetch(part.dataset.address, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
			if (answer.status === 401) {
				location.reload();
				return;
			}
			if (!answer.ok || !(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) return;
			const made = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".part");
			const now = current(id);
			if (made && now) {
				const open = [...now.querySelectorAll("details")].map((d) => d.open);
				now.replaceWith(document.adoptNode(made));
				made.querySelectorAll("details").forEach((d, i) => (d.open = open[i] ?? d.open));
				prepare(made);
			}
		} catch {
			// The next one may succeed.
		} finally {
			busy.delete(id);
		}
	};

	// prepare makes the heads of sortable tables buttons.
	const prepare = (root) => {
		for (const table of root.querySelectorAll("table.sortable")) {
			[...(table.tHead?.rows[0]?.cells ?? [])].forEach((cell, column) => {
				if (cell.querySelector("button") || !cell.textContent.trim()) return;
				const button = document.createElement("button");
				button.type = "button";
				button.className = "sort";
				button.append(...cell.childNodes);
				cell.append(button);
				button.addEventListener("click", () => sort(table, column, cell));
			});
		}
	};

	const value = (cell) => cell?.dataset.value ?? cell?.textContent.trim() ?? "";

	const sort = (table, column, head) => {
		const up = head.getAttribute("aria-sort") !== "ascending";
		for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
		head.setAttribute("aria-sort", up ? "ascending" : "descending");
		const body = table.tBodies[0];
		const rows = [...body.rows].map((row) => ({ row, is: value(row.cells[column]) }));
		const numeric = rows.every(({ is }) => is === "" || Number.isFinite(Number(is.replaceAll(",", ""))));
		const compare = numeric
			? (a, b) => Number(a.replaceAll(",", "")) - Number(b.replaceAll(",", ""))
			: (a, b) => a.localeCompare(b, undefined, { numeric: true });
		rows.sort((a, b) => (up ? 1 : -1) * compare(a.is, b.is));
		body.append(...rows.map(({ row }) => row));
	};

	tidy();
	prepare(document);
	for (const form of document.querySelectorAll("form.controls:not(.asks)")) {
		form.addEventListener("change", () => form.requestSubmit());
	}
	const due = new Map();
	setInterval(() => {
		for (const part of document.querySelectorAll(".part[data-refresh]")) {
			const every = Number(part.dataset.refresh) * 1000;
			const at = due.get(part.dataset.part) ?? performance.now() + every;
			if (performance.now() >= at) {
				due.set(part.dataset.part, performance.now() + every);
				refresh(part);
			} else {
				due.set(part.dataset.part, at);
			}
		}
	}, 1000);
})();
