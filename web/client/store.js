// The store: the outbox as IndexedDB keeps it, shared by all tabs of an origin. One row for each emit, in the order of their keys:
//
//   seq        the key, given by IndexedDB
//   owner      the tab that sends it; '' when it is done
//   author     the tab that it was made in
//   id, topic, text, bytes, echo      the event, as text, and where it goes
//   at         when it was made;  firstSent: when it was first sent without a word whether it arrived, 0: not;  tried: last sent.
//              Milliseconds since 1970, by the clock of the wall
//   undecided  true: it was given to the application to decide
//
// A row whose author may still wait for it is not deleted when another tab is done with it, but left with the `outcome`. Every
// method returns a promise, which rejects when IndexedDB fails.

const OPEN_MS = 5000;

/** The answer to one request, within its transaction. */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export class Store {
  #db;

  static open(name) {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      // Some browsers never answer where storage is forbidden.
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new Error('IndexedDB does not answer.'));
      }, OPEN_MS);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('emits', { keyPath: 'seq', autoIncrement: true }).createIndex('owner', 'owner');
      };
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        clearTimeout(timer);
        if (late) request.result.close();
        else resolve(new Store(request.result));
      };
    });
  }

  constructor(db) {
    this.#db = db;
    // A later version of this library wants to change the store: it must not wait for us.
    db.onversionchange = () => db.close();
  }

  close() {
    this.#db.close();
  }

  /** Gives each row its `seq`. */
  async add(rows) {
    const keys = await this.#do('readwrite', (emits) => Promise.all(rows.map((row) => answer(emits.add(row)))));
    rows.forEach((row, i) => {
      row.seq = keys[i];
    });
  }

  /** Writes the rows as they are now. Returns those that another tab has taken over; these are left alone. */
  claim(rows) {
    return this.#do('readwrite', async (emits) => {
      const kept = await Promise.all(rows.map(({ seq }) => answer(emits.get(seq))));
      // One that is not there at all was cleared away by somebody: it is put back.
      const lost = rows.filter((row, i) => kept[i] && kept[i].owner !== row.owner);
      for (const row of rows) if (!lost.includes(row)) emits.put(row);
      return lost;
    });
  }

  /** The emit is done. */
  finish({ seq, id, topic, owner, author }, outcome) {
    return this.#do('readwrite', (emits) => {
      if (owner === author) emits.delete(seq);
      else emits.put({ seq, id, topic, owner: '', author, outcome, at: Date.now() });
    });
  }

  /** All tabs that have rows here. */
  owners() {
    return this.#do('readonly', async (emits) => {
      const owners = [];
      const request = emits.index('owner').openKeyCursor(IDBKeyRange.lowerBound('', true), 'nextunique');
      await new Promise((resolve, reject) => {
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          if (!request.result) {
            resolve();
            return;
          }
          owners.push(request.result.key);
          request.result.continue();
        };
      });
      return owners;
    });
  }

  /** The rows of these owners become those of another; returned in their order. */
  adopt(owners, by) {
    return this.#do('readwrite', async (emits) => {
      const found = await Promise.all(owners.map((owner) => answer(emits.index('owner').getAll(owner))));
      const rows = found.flat().sort((a, b) => a.seq - b.seq);
      for (const row of rows) {
        row.owner = by;
        emits.put(row);
      }
      return rows;
    });
  }

  /** The rows as they stand here, undefined where there is none. */
  look(seqs) {
    return this.#do('readonly', (emits) => Promise.all(seqs.map((seq) => answer(emits.get(seq)))));
  }

  /** Outcomes that nobody fetched. */
  sweep(before) {
    return this.#do('readwrite', async (emits) => {
      for (const row of await answer(emits.index('owner').getAll(''))) if (row.at < before) emits.delete(row.seq);
    });
  }

  async #do(mode, work) {
    const transaction = this.#db.transaction('emits', mode);
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB gave up.'));
    });
    const [result] = await Promise.all([work(transaction.objectStore('emits')), done]);
    return result;
  }
}
