'use strict';
// Fetches what is known and draws it. Every text goes in by textContent: none is ever read as HTML.
(() => {
  const EVERY_MS = 2000, OLD_MS = 10000, ROWS_MAX = 500;
  const drawn = {};
  const two = (n) => String(n).padStart(2, '0');
  const moment = (ms) => {
    if (ms === null || ms <= 0) return '-';
    const t = new Date(ms);
    return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ` +
        `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  };
  const span = (ms) => ms < 1000 ? `${Math.round(ms)} ms` :
      ms < 120000 ? `${Math.round(ms / 1000)} s` :
      ms < 7200000 ? `${Math.round(ms / 60000)} min` :
                     `${Math.round(ms / 3600000)} h`;
  // A text with nothing in it that changes how others are written.
  const clean = (text) => String(text).replace(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/g, '?');
  const cell = (text, mark = '') => ({text: clean(text), mark});

  // Redrawn only if something is new, so that a selection stays.
  const table = (id, rows) => {
    const key = JSON.stringify(rows);
    if (drawn[id] === key) return;
    drawn[id] = key;
    const section = document.getElementById(id);
    const heads = [...section.querySelectorAll('th')].map((head) => head.textContent);
    section.querySelector('tbody').replaceChildren(...rows.map((row) => {
      const line = document.createElement('tr');
      row.forEach((one, at) => {
        const part = document.createElement('td');
        part.dataset.head = heads[at];
        part.className = one.mark;
        part.textContent = one.text;
        line.append(part);
      });
      return line;
    }));
    section.querySelector('.none').hidden = rows.length > 0;
  };

  const state = (host) => {
    if (!host.alive) return cell('no supervisor', 'bad');
    if (host.state === 'standby') {
      return host.stands_back ? cell('stands back', 'busy') :
                                cell(host.ready ? 'standby' : 'standby, waits', 'plain');
    }
    const mark = {running: 'good', failing: 'bad', failed: 'bad'}[host.state] || 'busy';
    return cell(host.state, mark);
  };
  const wanted = (one) => cell(
      (one.run ? 'running' : 'stopped') + (one.maintenance ? ', maintenance' : ''),
      one.run && !one.maintenance ? '' : 'busy');

  const drawPackages = (packages) => table(
      'packages',
      packages.flatMap(
          (one) => one.hosts.length === 0 ?
              [
                [cell(one.name), wanted(one), cell('-'), cell('-'), cell('-'), cell('-'), cell('')]
              ] :
              one.hosts.map(
                  (host) =>
                      [cell(one.name), wanted(one), cell(host.name), state(host),
                       cell(moment(host.since * 1000)), cell(host.failures),
                       cell(host.error || '')])));

  const drawHosts = (packages) => {
    const hosts = new Map();
    for (const one of packages) {
      for (const host of one.hosts) {
        if (!hosts.has(host.name)) hosts.set(host.name, {all: 0, alive: 0, has: [], standby: []});
        const seen = hosts.get(host.name);
        seen.all += 1;
        if (!host.alive) continue;
        seen.alive += 1;
        (one.active === host.name ? seen.has : seen.standby).push(one.name);
      }
    }
    const names = [...hosts.keys()].sort();
    table('hosts', names.map((name) => {
      const seen = hosts.get(name);
      return [
        cell(name),
        cell(`${seen.alive} of ${seen.all} alive`, seen.alive === seen.all ? 'good' : 'bad'),
        cell(seen.has.join(', ') || '-'), cell(seen.standby.join(', ') || '-')
      ];
    }));
    return names;
  };

  const drawLocks = (locks, histories) => {
    const since = (name, token) => {
      const hold = (histories.get(name) || []).find((one) => one.token === token);
      return hold ? moment(hold.from_ms) : '-';
    };
    const rows = [];
    for (const lock of locks) {
      if (/^failover\/.*\//.test(lock.name)) continue;
      const waits = cell(
          lock.waiters.length === 0 ?
              '-' :
              `${lock.waiters.length}: ${lock.waiters.map((one) => one.who).join(', ')}`);
      for (const holder of lock.holders) {
        rows.push([
          cell(lock.name), holder.lapsed ? cell('lapsed', 'bad') : cell('held', 'good'),
          cell(holder.who), cell(since(lock.name, holder.token)), cell(holder.token), waits
        ]);
      }
      if (lock.holders.length === 0) {
        rows.push([
          cell(lock.name),
          lock.closed ? cell(`closed: ${lock.closed}`, 'busy') : cell('free', 'plain'), cell('-'),
          cell('-'), cell(lock.last_token), waits
        ]);
      }
    }
    table('locks', rows.slice(0, ROWS_MAX));
  };

  const drawServers = (servers) => table(
      'servers',
      servers.map(
          (one) =>
              [cell(one.name),
               one.reachable ? one.votes ? cell('up, votes', 'good') : cell('up, no vote', 'busy') :
                               cell('not reachable', 'bad'),
               cell(one.answer_us === null ? '-' : `${(one.answer_us / 1000).toFixed(2)} ms`),
               cell(one.trouble || '')]));

  const ended = (hold) => cell(hold.how, {holding: 'good', released: ''}[hold.how] ?? 'bad');
  const drawTimeline = (timeline) => table(
      'timeline',
      timeline.map(
          (one) =>
              [cell(one.package), cell(one.host), cell(moment(one.hold.from_ms)),
               cell(moment(one.hold.to_ms)), ended(one.hold)]));

  const shape = (name, attributes, text) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // A row for each package and host, a bar for each time it was active.
  const drawChart = (timeline, now) => {
    const held = timeline.filter((one) => one.hold.from_ms !== null);
    const rows = new Map();
    for (const one of held) {
      const key = JSON.stringify([one.package, one.host]);
      if (!rows.has(key)) rows.set(key, []);
      rows.get(key).push(one);
    }
    const section = document.getElementById('timeline');
    const old = section.querySelector('svg');
    if (rows.size === 0) {
      if (old) old.remove();
      return;
    }
    const begin = Math.min(...held.map((one) => one.hold.from_ms));
    const end = Math.max(now, ...held.map((one) => one.hold.to_ms || 0), begin + 1);
    const width = Math.max(section.clientWidth, 300), left = Math.min(170, width / 3), height = 26;
    const x = (ms) => left + (width - left - 10) * (ms - begin) / (end - begin);
    const chart = shape('svg', {viewBox: `0 0 ${width} ${height * rows.size + 20}`, role: 'img'});
    chart.append(shape('title', {}, 'When each host was active; the table below says the same'));
    [...rows.keys()].sort().forEach((key, at) => {
      const [one, host] = JSON.parse(key);
      const top = at * height;
      chart.append(shape('text', {x: 0, y: top + 17}, clean(`${one} ${host}`).slice(0, Math.floor(left / 6.5))));
      chart.append(
          shape('line', {x1: left, x2: width - 10, y1: top + height - 2, y2: top + height - 2}));
      for (const {hold} of rows.get(key)) {
        const until = hold.to_ms ?? (hold.how === 'holding' ? end : hold.from_ms);
        const bad = !['holding', 'released'].includes(hold.how);
        const bar = shape('rect', {
          x: x(hold.from_ms),
          y: top + 4,
          height: height - 10,
          width: Math.max(x(until) - x(hold.from_ms), 2),
          class: bad ? 'bad' : ''
        });
        bar.append(shape(
            'title', {},
            clean(
                `${one} on ${host}: ${moment(hold.from_ms)} to ` +
                `${hold.to_ms === null ? 'now' : moment(hold.to_ms)}, ${hold.how}`)));
        chart.append(bar);
        if (bad)
          chart.append(shape(
              'text', {x: Math.min(x(until), width - 12), y: top + 17, class: 'end'}, '\u2716'));
      }
    });
    const foot = height * rows.size + 14;
    chart.append(shape('text', {x: left, y: foot, class: 'soft'}, moment(begin)));
    chart.append(
        shape('text', {x: width - 10, y: foot, class: 'soft', 'text-anchor': 'end'}, moment(end)));
    if (old)
      old.replaceWith(chart);
    else
      section.querySelector('table').before(chart);
  };

  // What can be chosen in the form for changes.
  const choices = (name, texts, first) => {
    const select = document.querySelector(`#changes select[name=${name}]`);
    const key = JSON.stringify(texts);
    if (!select || drawn[name] === key) return;
    drawn[name] = key;
    const chosen = select.value;
    select.replaceChildren(...first, ...texts.map((text) => {
      const option = document.createElement('option');
      option.textContent = text;
      option.value = text;
      return option;
    }));
    if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
  };

  const age = document.getElementById('age');
  const tell = (text, old) => {
    age.textContent = text;
    age.className = old ? 'old' : '';
  };

  const draw = (all) => {
    const verdict = document.getElementById('verdict');
    if (all.age_ms === null) {
      tell('Nothing was seen yet.', true);
      return;
    }
    verdict.textContent = clean(all.status.verdict);
    verdict.className = all.status.majority ? 'good' : 'bad';
    const packages = all.failover.packages;
    drawPackages(packages);
    const hosts = drawHosts(packages);
    drawTimeline(all.timeline);
    drawChart(all.timeline, all.now_ms);
    drawLocks(all.list.locks, new Map(all.history.map((one) => [one.name, one.history.holds])));
    drawServers(all.status.servers);
    choices('package', packages.map((one) => one.name), []);
    const any = document.createElement('option');
    any.value = '';
    any.textContent = 'any other';
    choices('to', hosts, [any]);
    tell(
        `As seen ${span(all.age_ms)} ago, at ${moment(all.now_ms - all.age_ms)}.`,
        all.age_ms > OLD_MS);
  };

  let heard = Date.now();
  const look = async () => {
    try {
      const answer =
          await fetch('/api/status.json', {cache: 'no-store', signal: AbortSignal.timeout(8000)});
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      draw(await answer.json());
      heard = Date.now();
    } catch (error) {
      tell(`Old: the dashboard gave no answer for ${span(Date.now() - heard)}.`, true);
    }
    setTimeout(look, EVERY_MS);
  };

  const form = document.querySelector('#changes form');
  if (form) {
    form.addEventListener('submit', (event) => {
      const action = event.submitter ? event.submitter.textContent : 'Change';
      if (!confirm(`${action}: ${form.elements.package.value}?`)) event.preventDefault();
    });
  }
  look();
})();
