import { createAuthClient } from './client.js'

const auth = createAuthClient()
const $ = (id) => document.getElementById(id)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const time = (moment) => new Date(moment).toLocaleTimeString()

/** What a person can do something with, of an error. */
const reasonOf = (error) =>
  error instanceof TypeError ? 'The server cannot be reached.'
  : error.status === 503 ? 'The session store does not answer at the moment.'
  : `That did not work: ${error.message}`

/** Make an element; texts become text, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes)
  made.append(...children)
  return made
}

/** "Chromium 156 on Linux" of a browser's long story about itself. */
function browserOf(agent) {
  if (!agent) return 'Unknown program'
  const names = [
    [/Edg\w*\/(\d+)/, 'Edge'], [/OPR\/(\d+)/, 'Opera'], [/Firefox\/(\d+)/, 'Firefox'],
    [/HeadlessChrome\/(\d+)/, 'Headless Chrome'], [/Chrom\w+\/(\d+)/, 'Chrome'], [/Version\/(\d+).*Safari/, 'Safari'],
  ]
  const system = [[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS/, 'macOS'], [/Linux/, 'Linux']]
    .find(([pattern]) => pattern.test(agent))
  for (const [pattern, name] of names) {
    const found = pattern.exec(agent)
    if (found) return `${name} ${found[1]}${system ? ' on ' + system[1] : ''}`
  }
  return agent.split(' ')[0].slice(0, 40)
}

function ago(moment) {
  const seconds = Math.round((Date.now() - new Date(moment)) / 1000)
  if (seconds < 5) return 'just now'
  if (seconds < 90) return `${seconds} seconds ago`
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes ago`
  return seconds < 129600 ? `${Math.round(seconds / 3600)} hours ago` : `${Math.round(seconds / 86400)} days ago`
}

// Who is signed in

const MEANINGS = {
  sub: 'whose it is', type: 'what it is good for', sid: 'its session', jti: 'its own name', iat: 'when it was issued',
  nbf: 'not good before', exp: 'when it ends', fresh: 'whether a password was just given', csrf: 'sent along where it is in a cookie',
  scopes: 'what it allows',
}
const ENDINGS = {
  logout: null,
  none: null,
  refresh_reused: 'Your session was ended: its refresh token was used a second time, so somebody must have a copy.',
  session_revoked: 'Your session was ended: it was logged out somewhere else, or its refresh token was used twice.',
  refresh_expired: 'Your session is over: it was not used for too long.',
}

const sayInTheHeader = (text) => { $('said').textContent = text }
const sayOfSessions = (text) => { $('sessions-said').textContent = text }

let session = null
let lastSid = null
/** What the list of events told of the end of this session: it knows better than the refusal that follows. */
let toldEnding = null
let received = 0

function show(next, why) {
  // Another tab may have signed somebody else in.
  const isNew = next && (!session || next.claims?.sub !== session.claims?.sub)
  const isOver = session && !next
  received = isNew ? 0 : received + (why === 'refresh')
  session = next
  sayInTheHeader('')
  $('who').textContent = session ? `Signed in as ${session.claims?.sub ?? 'somebody'}` : 'Not signed in'
  $('leave').hidden = $('inside').hidden = !session
  $('sign-in').hidden = $('lab-closed').hidden = Boolean(session)
  for (const button of document.querySelectorAll('#lab button')) button.disabled = !session
  if (isOver) {
    showEnding(toldEnding ?? why)
    sayOfSessions('')
    $('login').elements.username.focus()
  }
  if (isNew) {
    $('ended').hidden = true
    $('refused').textContent = ''
    toldEnding = null
    $('lab').hidden = $('happened').hidden = false
    for (const said of document.querySelectorAll('.said')) said.replaceChildren()
    if (session.claims?.sub !== listed) forgetEvents(session.claims?.sub)
    followEvents()
  }
  if (isOver && why === 'logout') forgetEvents(null)
  if (!session) return
  lastSid = session.claims?.sid
  nameSessions()
  $('refreshed').textContent = received
    ? `Replaced ${received === 1 ? 'once' : received + ' times'} since you came, the last time at ${time(Date.now())}.`
    : 'It is replaced before it ends.'
  $('claims').replaceChildren(
    ...Object.entries(session.claims ?? {}).flatMap(([name, value]) => [
      element('dt', {}, name),
      element(
        'dd', {},
        element('span', {}, ['iat', 'nbf', 'exp'].includes(name) ? time(value * 1000) : JSON.stringify(value)),
        element('small', {}, MEANINGS[name] ?? ''),
      ),
    ]),
  )
  tick()
  listSessions()
}

function showEnding(why) {
  const ending = why in ENDINGS ? ENDINGS[why] : `Your session was ended (${why}).`
  $('ended').hidden = !ending
  $('ended').textContent = ending ?? ''
}

function tick() {
  if (!session?.expiresAt) return
  const left = Math.max(0, session.expiresAt - Date.now())
  const { iat, exp } = session.claims ?? {}
  $('left').textContent = `${Math.ceil(left / 1000)} seconds left`
  $('left-bar').value = exp ? Math.min(100, left / (exp - iat) / 10) : 0
}
setInterval(tick, 500)

$('login').onsubmit = async (event) => {
  event.preventDefault()
  const button = event.submitter ?? event.target.querySelector('button')
  button.disabled = true
  $('refused').textContent = ''
  try {
    await auth.login(Object.fromEntries(new FormData(event.target)))
    $('main').focus()
  } catch (error) {
    $('refused').textContent = error.code === 'credentials_invalid' ? 'User name or password is wrong.' : reasonOf(error)
    event.target.elements.password.focus()
  } finally {
    button.disabled = false
  }
}

/** Let a button do something once at a time, and say what went wrong; it keeps the focus meanwhile. */
function onPress(button, said, work) {
  button.onclick = async () => {
    if (button.ariaDisabled === 'true') return
    button.ariaDisabled = 'true'
    try {
      await work()
    } catch (error) {
      said(reasonOf(error), 'bad')
    } finally {
      button.ariaDisabled = 'false'
    }
  }
}

onPress($('logout'), sayInTheHeader, () => auth.logout())
onPress($('logout-all'), sayInTheHeader, () => auth.logoutAll())

// Sessions

let listing = null
let isListStale = false

/** Ask for the list; those who want it at the same moment share an answer. */
function listSessions() {
  listing ??= sleep(50)
    .then(() => auth.fetch('sessions'))
    .then(async (answer) => showSessions(await granted(answer)))
    .catch((error) => {
      if (!session) return
      isListStale = true
      sayOfSessions(reasonOf(error))
    })
    .finally(() => { listing = null })
  return listing
}

function showSessions(sessions) {
  if (isListStale) sayOfSessions('')
  isListStale = false
  const focused = document.activeElement?.dataset?.session
  $('sessions').replaceChildren(
    ...sessions.map((one) => {
      const browser = browserOf(one.user_agent)
      const since = `since ${time(one.created_at)}`
      const revoke = element('button', { type: 'button', className: 'quiet' }, one.current ? 'Log out' : 'Revoke')
      revoke.dataset.session = one.session_id
      revoke.ariaLabel = one.current ? 'Log out this device' : `Revoke ${browser}, ${since}`
      onPress(revoke, sayOfSessions, async () => {
        if (one.current) return auth.logout()
        await granted(auth.fetch(`sessions/${one.session_id}`, { method: 'DELETE' }))
        sayOfSessions(`${browser}, ${since}, was logged out.`)
        await listSessions()
      })
      return element(
        'tr', {},
        element(
          'td', {}, browser,
          element('small', {}, since),
          ...(one.current ? [element('strong', { className: 'here' }, 'This device')] : []),
        ),
        element('td', {}, one.ip_address ?? 'unknown'),
        element('td', {}, element('time', { dateTime: one.last_active, title: new Date(one.last_active).toLocaleString() }, ago(one.last_active))),
        element('td', {}, revoke),
      )
    }),
  )
  if (focused) document.querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus()
  $('others').disabled = sessions.length < 2
}

onPress($('others'), sayOfSessions, async () => {
  await auth.logoutAll({ keepCurrent: true })
  sayOfSessions('All other devices were logged out.')
  await listSessions()
})

// Events

const WORDS = {
  login: 'Signed in', refresh: 'Refreshed', replay: 'The same answer again', logout: 'Logged out',
  session_revoked: 'Session revoked', subject_revoked: 'Logged out everywhere', token_revoked: 'Token revoked',
  refresh_reused: 'Refresh token reused', store_rollback: 'The store had lost a rotation',
  session_mismatch: 'Session of somebody else', row_invalid: 'Unreadable session',
}
const ENDS = ['refresh_reused', 'session_revoked', 'subject_revoked', 'logout']
/** Of the newest event that is known: the run of the server, whose numbers begin anew with it, and its number. */
let newest = { run: '', id: 0 }
let following = false
/** The user whose events are listed, and what ends the reading of them. */
let listed = null
let reading = new AbortController()

/** Show nobody what happened to somebody else. */
function forgetEvents(user) {
  listed = user
  newest = { run: '', id: 0 }
  $('events').replaceChildren()
  reading.abort()
  reading = new AbortController()
}

/** Read events as they come, for as long as somebody is signed in. */
async function followEvents() {
  if (following) return
  following = true
  while (session) {
    const { signal } = reading
    try {
      const answer = await auth.fetch(`lab/events?run=${newest.run}&after=${newest.id}`, { signal })
      if (answer.ok && !signal.aborted) {
        sayInTheHeader('')
        $('live').textContent = 'Live.'
        await readLines(answer.body, (line) => { if (!signal.aborted) showEvent(JSON.parse(line)) })
      }
    } catch (error) {
      // The connection broke; the next one begins after the last event that arrived.
      if (session && !signal.aborted) sayInTheHeader(`${reasonOf(error)} You stay signed in.`)
    }
    $('live').textContent = 'Connecting …'
    if (!signal.aborted) await sleep(1000)
  }
  $('live').textContent = 'Sign in to go on.'
  following = false
}

async function readLines(body, take) {
  let rest = ''
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop()
    lines.filter(Boolean).forEach(take)
  }
}

function showEvent(event) {
  if (event.run === newest.run && event.id <= newest.id) return
  newest = event
  const isOurs = event.session_id && event.session_id === lastSid
  const details = [event.ip_address, event.user_agent && browserOf(event.user_agent), event.distance && `${event.distance} behind`]
  const whose = element('span')
  whose.dataset.of = event.session_id ?? ''
  $('events').prepend(
    element(
      'li', {},
      element('strong', { className: event.event === 'refresh_reused' ? 'bad' : '' }, WORDS[event.event] ?? event.event),
      element('code', {}, event.event),
      element('small', {}, element('time', { dateTime: event.at }, time(event.at)), whose, ...details.filter(Boolean).map((one) => ` · ${one}`)),
    ),
  )
  nameSessions()
  while ($('events').children.length > 100) $('events').lastElementChild.remove()
  if (isOurs && event.event === 'refresh_reused') {
    toldEnding = event.event
    if (!session) showEnding(toldEnding)
  }
  if (!session) return
  // What ended this very session shows here at once, and not only at the next request.
  if (ENDS.includes(event.event) && (isOurs || !event.session_id)) auth.fetch('protected').catch(() => {})
  else if (event.event !== 'refresh' && event.event !== 'replay') listSessions()
}

/** Say of each event which session it is about; which one is this one changes. */
function nameSessions() {
  for (const whose of document.querySelectorAll('[data-of]')) {
    const sid = whose.dataset.of
    whose.textContent = !sid ? '' : sid === lastSid ? ' · this session' : ` · another session (…${sid.slice(-8)})`
  }
}

// Lab

const say = (id) => (text, kind = '') => $(id).append(element('li', { className: kind }, text))

/** Begin a lab's list anew. */
function clean(id) {
  $(id).replaceChildren()
  return say(id)
}

/** Keep the client of this and every other tab from refreshing meanwhile. */
function alone(work) {
  return navigator.locks ? navigator.locks.request(`authx:${new URL('./', import.meta.url)}`, work) : work()
}

/** Refresh as a program does that knows nothing of the client: with the cookie and its CSRF value. */
function refreshByHand(headers = {}) {
  const value = `; ${document.cookie}`.split('; csrf_refresh_token=')[1]?.split(';')[0] ?? ''
  return fetch('refresh', { method: 'POST', headers: { 'X-CSRF-TOKEN': value, ...headers } })
}

/** What stands in a token. */
function read(token) {
  return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')))
}

async function granted(answer) {
  const response = await answer
  const body = response.status === 204 ? null : await response.json()
  if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status })
  return body
}

onPress($('ten'), say('ten-said'), () =>
  alone(async () => {
    const said = clean('ten-said')
    const { refresh_token: token } = await granted(refreshByHand())
    said(`The refresh token is of generation ${read(token).gen}. Ten requests go out with it …`)
    // In the header, for the browser would give the later ones what the first one's answer has set as a cookie.
    const headers = { Authorization: `Bearer ${token}` }
    const answers = await Promise.all(Array.from({ length: 10 }, () => granted(refreshByHand(headers))))
    const tokens = new Set(answers.map((body) => body.refresh_token))
    said(`${answers.length} of 10 were answered with 200.`, 'good')
    said(`They brought ${tokens.size === 1 ? 'one and the same refresh token' : tokens.size + ' refresh tokens'}, of generation ${read(answers[0].refresh_token).gen}.`, tokens.size === 1 ? 'good' : 'bad')
    said('Everybody goes on with it. The list of events shows one of the ten as a refresh, and nine as replays.')
  }))

onPress($('lose'), say('lose-said'), () =>
  alone(async () => {
    const said = clean('lose-said')
    const before = read((await granted(refreshByHand())).refresh_token)
    said(`The refresh token is of generation ${before.gen}.`)
    const lost = await refreshByHand({ 'X-Lab': 'lose-the-answer' })
    said(`The server exchanged it, and the answer was lost: ${lost.status}. This browser still has the old token.`)
    const after = read((await granted(refreshByHand())).refresh_token)
    said(`Asked again with the old token: 200, and the successor of generation ${after.gen} that had been lost.`, 'good')
  }))

onPress($('steal'), say('steal-said'), async () => {
  const said = clean('steal-said')
  await alone(async () => {
    const loot = (await granted(refreshByHand())).refresh_token
    said(`A thief copies the refresh token, of generation ${read(loot).gen}.`)
    await granted(refreshByHand())
    const mine = read((await granted(refreshByHand())).refresh_token)
    said(`You go on: two refreshes later yours is of generation ${mine.gen}.`)
    const theft = await fetch('refresh', { method: 'POST', headers: { Authorization: `Bearer ${loot}` }, credentials: 'omit' })
    said(`The thief presents the copy: ${theft.status} ${(await theft.json()).code}.`, 'bad')
  })
  const answer = await auth.fetch('protected')
  say('steal-said')(`Your own access token: ${answer.status}. The session is over, for both of you.`)
})

let stopped = false
onPress($('stop'), say('stop-said'), async () => {
  const said = clean('stop-said')
  await granted(auth.fetch('lab/store', { method: 'POST', body: JSON.stringify({ seconds: 15 }), headers: { 'Content-Type': 'application/json' } }))
  stopped = true
  $('start').hidden = false
  try {
    said('The store does not answer any more.')
    const refused = await alone(() => refreshByHand())
    const { code, action } = await refused.json()
    said(`A refresh is answered ${refused.status} ${code}, with “${action}”. The cookies stay.`)
    const answer = await auth.fetch('protected')
    said(`A protected route: ${answer.status}. Access tokens are checked without the store.`, answer.ok ? 'good' : 'bad')
    while ((await granted(auth.fetch('lab/store'))).seconds > 0) await sleep(500)
    const body = await granted(alone(() => refreshByHand()))
    said(`The store is back: the same token is exchanged for generation ${read(body.refresh_token).gen}.`, 'good')
  } finally {
    stopped = false
    $('start').hidden = true
  }
})
onPress($('start'), say('stop-said'), async () => {
  await granted(auth.fetch('lab/store', { method: 'POST', body: JSON.stringify({ seconds: 0 }), headers: { 'Content-Type': 'application/json' } }))
})

// Begin

auth.onChange(show)
setInterval(() => { if (session && !document.hidden && !stopped) listSessions() }, 30_000)
for (let found; found === undefined; ) {
  try {
    found = await auth.session()
    if (!found) show(null, 'none')
  } catch (error) {
    $('who').textContent = `${reasonOf(error)} Trying again …`
    await sleep(2000)
  }
}
