/** What guests say to each other in the suites: servers that tell who calls, and connections that last. */
import { once } from 'node:events'
import { expect, vi } from 'vitest'
import type { Guest, Lab } from './lab.ts'

export async function address(guest: Guest, cidr: string, gateway?: string): Promise<void> {
  await guest.run('ip', ['addr', 'add', cidr, 'dev', 'eth0'])
  await guest.run('ip', ['link', 'set', 'eth0', 'up'])
  if (gateway) await guest.run('ip', ['route', 'add', 'default', 'via', gateway])
}

/** On each of these ports a server that tells callers its name and who they are, and gives back what they send. */
export async function serve(lab: Lab, guest: Guest, name: string, ports: readonly number[]): Promise<void> {
  const program = `const all=${JSON.stringify(ports)};let up=0;for(const p of all)require('net').createServer((s)=>{s.on('error',()=>{});
    s.write('${name} '+p+' '+s.remoteAddress+'\\n');s.pipe(s)}).listen(p,'0.0.0.0',()=>{if(++up===all.length)console.log('up')})`
  await once(lab.inside(guest.netns, [process.execPath, '-e', program]).stdout as NodeJS.ReadableStream, 'data')
}

/** What the server at that address says of a caller; undefined: there is none. */
export async function ask(guest: Guest, to: string, port: number, from?: string): Promise<string | undefined> {
  const program = `const s=require('net').connect({host:'${to}',port:${port},${from ? `localAddress:'${from}',` : ''}timeout:1500});
    s.on('timeout',()=>s.destroy());s.on('error',()=>{});s.once('data',(d)=>{console.log(String(d).trim());s.destroy()})`
  return (await guest.run(process.execPath, ['-e', program])).trim() || undefined
}

/** An open connection over which numbered lines go there and back until it is told to stop; then it says how many came back right. */
export async function flow(lab: Lab, guest: Guest, to: string, port: number) {
  const program = `const s=require('net').connect(${port},'${to}');let n=0,got='',hello=false;
    const fail=(e)=>{console.log('broken '+n+' '+e);process.exit(1)};s.on('error',(e)=>fail(e.code));s.on('close',()=>fail('closed'));
    s.on('data',(d)=>{got+=d;for(;;){const i=got.indexOf('\\n');if(i<0)return;const l=got.slice(0,i);got=got.slice(i+1);
    if(!hello){hello=true;console.log('open')}else{if(l!=='line '+n+' '+'x'.repeat(500))fail('payload');n++;if(n%20===0)console.log('n '+n)}
    setTimeout(()=>s.write('line '+n+' '+'x'.repeat(500)+'\\n'),2)}});`
  const child = lab.inside(guest.netns, [process.execPath, '-e', program])
  let text = ''
  child.stdout?.on('data', (data) => (text += data))
  const count = () => Number(/n (\d+)\n(?!.*n \d)/s.exec(text)?.[1] ?? 0)
  await vi.waitFor(() => expect(text).toContain('open'), { timeout: 20_000 })
  return {
    /** More lines have come back since. */
    async alive(): Promise<void> {
      const before = count()
      await vi.waitFor(() => {
        expect(text).not.toContain('broken')
        expect(count()).toBeGreaterThan(before + 20)
      })
    },
    /** It ends, or nothing comes back any more. */
    async dead(): Promise<void> {
      let last = -1
      await vi.waitFor(
        () => {
          if (text.includes('broken')) return
          const now = text.length
          const still = now === last
          last = now
          expect(still).toBe(true)
        },
        { interval: 500 },
      )
    },
    close: () => child.kill('SIGKILL'),
  }
}
